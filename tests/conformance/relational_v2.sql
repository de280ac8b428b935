-- A database of schema 2, with everything of it in use; `.dump` of SQLite.
BEGIN TRANSACTION;
CREATE TABLE alerts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	rule TEXT NOT NULL,
	kind TEXT NOT NULL,
	entity TEXT NOT NULL,
	severity TEXT NOT NULL,
	rank SMALLINT NOT NULL,
	subsystem TEXT NOT NULL,
	opened_at BIGINT NOT NULL,
	since BIGINT NOT NULL,
	opened_value FLOAT,
	value FLOAT,
	threshold FLOAT,
	evidence JSON NOT NULL,
	signal TEXT NOT NULL,
	signal_at BIGINT NOT NULL,
	work TEXT NOT NULL,
	acknowledged_at BIGINT,
	acknowledged_by TEXT,
	snoozed_until BIGINT,
	snooze_reason TEXT,
	closed_at BIGINT,
	closed_by TEXT,
	close_reason TEXT,
	close_note TEXT
);
INSERT INTO "alerts" VALUES(1,'Silent','robot','r1','high',1,'network',1800000000000,1799999940000,6.0,6.0,5.0,'[{"measure": "increase of navigation.relocalization_faults over 6h", "metrics": ["navigation.relocalization_faults"], "value": 6.0, "comparison": "at least", "thresholds": [5.0], "over_ms": 21600000, "unit": "faults", "holds": true}]','firing',1800000000000,'acknowledged',1800000000001,'mei',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "alerts" VALUES(2,'Silent','robot','r2','high',1,'network',1800000000000,1799999940000,6.0,6.0,5.0,'[{"measure": "increase of navigation.relocalization_faults over 6h", "metrics": ["navigation.relocalization_faults"], "value": 6.0, "comparison": "at least", "thresholds": [5.0], "over_ms": 21600000, "unit": "faults", "holds": true}]','resolved',1800000060000,'closed',NULL,NULL,NULL,NULL,1800000060000,'system','resolved',NULL);
CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	alert INTEGER NOT NULL,
	at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	who TEXT NOT NULL,
	detail JSON NOT NULL,
	FOREIGN KEY(alert) REFERENCES alerts (id)
);
INSERT INTO "audit" VALUES(1,1,1800000000000,'opened','system','{"value": 6.0, "threshold": 5.0, "since": 1799999940000}');
INSERT INTO "audit" VALUES(2,2,1800000000000,'opened','system','{"value": 6.0, "threshold": 5.0, "since": 1799999940000}');
INSERT INTO "audit" VALUES(3,2,1800000060000,'signal','system','{"before": "firing", "after": "resolved"}');
INSERT INTO "audit" VALUES(4,2,1800000060000,'closed','system','{"reason": "resolved"}');
INSERT INTO "audit" VALUES(5,1,1800000000001,'acknowledged','mei','{"note": "calling them"}');
CREATE TABLE listening (
	id INTEGER NOT NULL,
	since BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "listening" VALUES(1,1799999999995,1800000000000);
CREATE TABLE revisions (
	name TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (name)
);
INSERT INTO "revisions" VALUES('roster',1);
CREATE TABLE robots (
	position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL,
	lifecycle TEXT NOT NULL,
	name TEXT,
	customer TEXT,
	site TEXT,
	industry TEXT,
	scene TEXT,
	model TEXT,
	tz TEXT,
	installed_on TEXT,
	extra JSON NOT NULL,
	UNIQUE (id)
);
INSERT INTO "robots" VALUES(1,'r1','live','小明','ACME',NULL,NULL,NULL,NULL,NULL,NULL,'{"floor": 3.0}');
INSERT INTO "robots" VALUES(2,'r2','live',NULL,'ACME',NULL,NULL,NULL,NULL,NULL,NULL,'{}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE signals (
	rule TEXT NOT NULL,
	kind TEXT NOT NULL,
	entity TEXT NOT NULL,
	state TEXT NOT NULL,
	since BIGINT NOT NULL,
	PRIMARY KEY (rule, kind, entity)
);
INSERT INTO "signals" VALUES('Silent','robot','r1','firing',1799999940000);
INSERT INTO "signals" VALUES('Silent','robot','r2','resolved',1800000000000);
CREATE TABLE watermarks (
	"group" TEXT NOT NULL,
	evaluated_until BIGINT NOT NULL,
	PRIMARY KEY ("group")
);
INSERT INTO "watermarks" VALUES('health',1800000060000);
CREATE INDEX queue_order ON alerts (rank, opened_at, id);
CREATE INDEX alerts_by_age ON alerts (opened_at, id);
CREATE UNIQUE INDEX one_open_alert ON alerts (rule, kind, entity) WHERE work != 'closed';
CREATE INDEX alerts_of_entity ON alerts (entity, opened_at);
CREATE INDEX ix_audit_alert ON audit (alert);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('robots',2);
INSERT INTO "sqlite_sequence" VALUES('alerts',2);
INSERT INTO "sqlite_sequence" VALUES('audit',5);
COMMIT;

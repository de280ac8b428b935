-- A database of schema 1, with everything of it in use; `.dump` of SQLite.
BEGIN TRANSACTION;
CREATE TABLE alerts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	rule VARCHAR(256) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	entity VARCHAR(256) NOT NULL,
	severity VARCHAR(16) NOT NULL,
	rank SMALLINT NOT NULL,
	subsystem VARCHAR(64) NOT NULL,
	opened_at BIGINT NOT NULL,
	since BIGINT NOT NULL,
	opened_value FLOAT,
	value FLOAT,
	threshold FLOAT,
	evidence JSON NOT NULL,
	signal VARCHAR(16) NOT NULL,
	signal_at BIGINT NOT NULL,
	work VARCHAR(16) NOT NULL,
	acknowledged_at BIGINT,
	acknowledged_by TEXT,
	snoozed_until BIGINT,
	snooze_reason TEXT,
	closed_at BIGINT,
	closed_by TEXT,
	close_reason VARCHAR(32),
	close_note TEXT
);
INSERT INTO "alerts" VALUES(1,'Silent','robot','r1','high',1,'network',1800000000000,1799999940000,6.0,6.0,5.0,'[{"measure": "increase of navigation.relocalization_faults over 6h", "metrics": ["navigation.relocalization_faults"], "value": 6.0, "comparison": "at least", "thresholds": [5.0], "over_ms": 21600000, "unit": "faults", "holds": true}]','firing',1800000000000,'acknowledged',1800000000001,'mei',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "alerts" VALUES(2,'Silent','robot','r2','high',1,'network',1800000000000,1799999940000,6.0,6.0,5.0,'[{"measure": "increase of navigation.relocalization_faults over 6h", "metrics": ["navigation.relocalization_faults"], "value": 6.0, "comparison": "at least", "thresholds": [5.0], "over_ms": 21600000, "unit": "faults", "holds": true}]','firing',1800000000000,'new',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	alert INTEGER NOT NULL,
	at BIGINT NOT NULL,
	kind VARCHAR(16) NOT NULL,
	who TEXT NOT NULL,
	detail JSON NOT NULL,
	FOREIGN KEY(alert) REFERENCES alerts (id)
);
INSERT INTO "audit" VALUES(1,1,1800000000000,'opened','system','{"value": 6.0, "threshold": 5.0, "since": 1799999940000}');
INSERT INTO "audit" VALUES(2,2,1800000000000,'opened','system','{"value": 6.0, "threshold": 5.0, "since": 1799999940000}');
INSERT INTO "audit" VALUES(3,1,1800000000001,'acknowledged','mei','{"note": "calling them"}');
CREATE TABLE listening (
	id INTEGER NOT NULL,
	since BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "listening" VALUES(1,1799999999995,1800000000000);
CREATE TABLE robots (
	position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id VARCHAR(64) NOT NULL,
	lifecycle VARCHAR(16) NOT NULL,
	name TEXT,
	customer TEXT,
	site TEXT,
	industry TEXT,
	scene TEXT,
	model TEXT,
	tz TEXT,
	installed_on VARCHAR(10),
	extra JSON NOT NULL,
	UNIQUE (id)
);
INSERT INTO "robots" VALUES(1,'r1','live','小明','ACME',NULL,NULL,NULL,NULL,NULL,NULL,'{"floor": 3.0}');
INSERT INTO "robots" VALUES(2,'r2','unclaimed',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE signals (
	rule VARCHAR(256) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	entity VARCHAR(256) NOT NULL,
	state VARCHAR(16) NOT NULL,
	since BIGINT NOT NULL,
	PRIMARY KEY (rule, kind, entity)
);
INSERT INTO "signals" VALUES('Silent','robot','r1','firing',1799999940000);
INSERT INTO "signals" VALUES('Silent','robot','r2','firing',1799999940000);
CREATE TABLE watermarks (
	"group" VARCHAR(256) NOT NULL,
	evaluated_until BIGINT NOT NULL,
	PRIMARY KEY ("group")
);
INSERT INTO "watermarks" VALUES('health',1800000000000);
CREATE INDEX alerts_of_entity ON alerts (entity, opened_at);
CREATE UNIQUE INDEX one_open_alert ON alerts (rule, kind, entity) WHERE work != 'closed';
CREATE INDEX alerts_by_age ON alerts (opened_at, id);
CREATE INDEX queue_order ON alerts (rank, opened_at, id);
CREATE INDEX ix_audit_alert ON audit (alert);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('robots',2);
INSERT INTO "sqlite_sequence" VALUES('alerts',2);
INSERT INTO "sqlite_sequence" VALUES('audit',3);
COMMIT;

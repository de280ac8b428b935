BEGIN TRANSACTION;
CREATE TABLE alert_log (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	line TEXT NOT NULL
);
INSERT INTO "alert_log" VALUES(1,'{"at":1800000000000,"entity":"r1","event":"firing","kind":"robot","rule":"Silent","since":1799999940000,"threshold":5.0,"value":6.0}');
INSERT INTO "alert_log" VALUES(2,'{"at":1800000000000,"entity":"r2","event":"firing","kind":"robot","rule":"Silent","since":1799999940000,"threshold":5.0,"value":6.0}');
INSERT INTO "alert_log" VALUES(3,'{"at":1800000060001,"by":{"entity":"r1","kind":"robot","reason":"inhibited","rule":"Burning"},"entity":"r2","event":"suppressed","kind":"robot","rule":"Silent"}');
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
	close_note TEXT, 
	suppressed_reason TEXT, 
	suppressed_rule TEXT, 
	suppressed_kind TEXT, 
	suppressed_entity TEXT
);
INSERT INTO "alerts" VALUES(1,'Silent','robot','r1','high',1,'network',1800000000000,1799999940000,6.0,6.0,5.0,'[{"measure": "increase of navigation.relocalization_faults over 6h", "metrics": ["navigation.relocalization_faults"], "value": 6.0, "comparison": "at least", "thresholds": [5.0], "over_ms": 21600000, "unit": "faults", "holds": true}]','firing',1800000000000,'acknowledged',1800000000005,'mei',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "alerts" VALUES(2,'Silent','robot','r2','high',1,'network',1800000000000,1799999940000,6.0,6.0,5.0,'[{"measure": "increase of navigation.relocalization_faults over 6h", "metrics": ["navigation.relocalization_faults"], "value": 6.0, "comparison": "at least", "thresholds": [5.0], "over_ms": 21600000, "unit": "faults", "holds": true}]','firing',1800000000000,'new',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'inhibited','Burning','robot','r1');
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
INSERT INTO "audit" VALUES(3,1,1800000000005,'acknowledged','mei','{"note": "on it"}');
INSERT INTO "audit" VALUES(4,2,1800000060001,'suppressed','system','{"reason": "inhibited", "rule": "Burning", "kind": "robot", "entity": "r1"}');
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
INSERT INTO "robots" VALUES(1,'r1','live','小明','ACME','Hall 1',NULL,NULL,NULL,NULL,NULL,'{"floor": 3.0}');
INSERT INTO "robots" VALUES(2,'r2','live',NULL,'ACME',NULL,NULL,NULL,NULL,NULL,NULL,'{}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(3);
CREATE TABLE signals (
	rule TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	entity TEXT NOT NULL, 
	state TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	PRIMARY KEY (rule, kind, entity)
);
INSERT INTO "signals" VALUES('Silent','robot','r1','firing',1799999940000);
INSERT INTO "signals" VALUES('Silent','robot','r2','firing',1799999940000);
CREATE TABLE suppressed (
	rule TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	entity TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	by_rule TEXT NOT NULL, 
	by_kind TEXT NOT NULL, 
	by_entity TEXT NOT NULL, 
	PRIMARY KEY (rule, kind, entity)
);
INSERT INTO "suppressed" VALUES('Silent','robot','r2','inhibited','Burning','robot','r1');
CREATE TABLE turns (
	rule TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	entity TEXT NOT NULL, 
	turns JSON NOT NULL, 
	PRIMARY KEY (rule, kind, entity)
);
INSERT INTO "turns" VALUES('Silent','robot','r1','[1800000000000]');
INSERT INTO "turns" VALUES('Silent','robot','r2','[1800000000000]');
CREATE TABLE watermarks (
	"group" TEXT NOT NULL, 
	evaluated_until BIGINT NOT NULL, 
	PRIMARY KEY ("group")
);
INSERT INTO "watermarks" VALUES('health',1800000060001);
CREATE INDEX queue_order ON alerts (rank, opened_at, id);
CREATE INDEX alerts_by_age ON alerts (opened_at, id);
CREATE INDEX alerts_by_suppressor ON alerts (suppressed_rule, suppressed_kind, suppressed_entity);
CREATE INDEX alerts_of_entity ON alerts (entity, opened_at);
CREATE UNIQUE INDEX one_open_alert ON alerts (rule, kind, entity) WHERE work != 'closed';
CREATE INDEX ix_audit_alert ON audit (alert);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('robots',2);
INSERT INTO "sqlite_sequence" VALUES('alerts',2);
INSERT INTO "sqlite_sequence" VALUES('audit',4);
INSERT INTO "sqlite_sequence" VALUES('alert_log',3);
COMMIT;

-- A journal as version 1.0.0 leaves it. Every later version of the major version 1 goes on with it: never change this file.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1464877635;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO about VALUES('about','https://api.mch.weixin.qq.com');
INSERT INTO about VALUES('failed','orders.csv.failed');
INSERT INTO about VALUES('run',1);
CREATE TABLE bad_rows (line INTEGER PRIMARY KEY, run INTEGER, message TEXT, row TEXT);
INSERT INTO bad_rows VALUES(7,1,'not an order: bonus_value must be 1 or more (given: 0)','1,2,bad,4,5,0');
CREATE TABLE orders (
    card_id TEXT, code TEXT, out_trade_no TEXT, mchid TEXT, sub_mchid TEXT,
    bonus_value INTEGER,
    outcome TEXT,     -- pending, credited, refused, unknown, not sent
    settled INTEGER,  -- 1: not committed again
    run INTEGER, line INTEGER,
    label TEXT, message TEXT, request_id TEXT,
    row TEXT,         -- as it stands in the file; empty once credited
    PRIMARY KEY (out_trade_no, code, card_id, mchid, sub_mchid)) WITHOUT ROWID;
INSERT INTO orders VALUES('1','2','credited','4','5',30,'credited',1,1,2,'','','08000000000000000110EA05-0','');
INSERT INTO orders VALUES('1','2','refused','4','5',30,'refused',1,1,3,'400 INVALID_REQUEST','WeChat Pay answered 400 INVALID_REQUEST: the code does not exist','08000000000000000210EA05-0','1,2,refused,4,5,30');
INSERT INTO orders VALUES('1','2','unknown','4','5',30,'unknown',0,1,4,'timeout','no answer in time','','1,2,unknown,4,5,30');
INSERT INTO orders VALUES('1','2','not sent','4','5',30,'not sent',0,1,5,'connect','nobody listens','','1,2,not sent,4,5,30');
INSERT INTO orders VALUES('1','2','under way','4','5',30,'pending',0,1,6,'','','','1,2,under way,4,5,30');
COMMIT;

-- Tables of version 1 with the rows of two conversations, as the library of that time made them.

CREATE TABLE convostore_schema (
	version INTEGER NOT NULL
);
CREATE TABLE convostore_conversations (
	number INTEGER NOT NULL, 
	namespace TEXT NOT NULL, 
	id TEXT NOT NULL, 
	title TEXT, 
	pinned BOOLEAN NOT NULL, 
	created_at BIGINT, 
	updated_at BIGINT, 
	stored_at BIGINT NOT NULL, 
	rank BIGINT NOT NULL, 
	message_count BIGINT NOT NULL, 
	next_seq BIGINT NOT NULL, 
	body TEXT, 
	PRIMARY KEY (number), 
	UNIQUE (namespace, id)
);
CREATE INDEX convostore_conversations_listed ON convostore_conversations (namespace, rank, id);
CREATE TABLE convostore_messages (
	number INTEGER NOT NULL, 
	namespace TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	said_at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (namespace, conversation_id, seq), 
	UNIQUE (namespace, conversation_id, id)
);
CREATE VIRTUAL TABLE convostore_title_words USING fts5(words, detail=none, columnsize=0, tokenize="ascii tokenchars '_'");
CREATE TRIGGER convostore_title_words_deleted AFTER DELETE ON convostore_conversations BEGIN DELETE FROM convostore_title_words WHERE rowid = old.number; END;
CREATE VIRTUAL TABLE convostore_message_words USING fts5(words, detail=none, columnsize=0, tokenize="ascii tokenchars '_'");
CREATE TRIGGER convostore_message_words_deleted AFTER DELETE ON convostore_messages BEGIN DELETE FROM convostore_message_words WHERE rowid = old.number; END;
INSERT INTO convostore_schema (version) VALUES (1);

INSERT INTO convostore_conversations (number, namespace, id, title, pinned, created_at, updated_at, stored_at, rank, message_count, next_seq, body)
VALUES (1, 'n', 'c', 'What was kept of version one', 0, 1714979289123456, 1796132456400952, 1796132456392651, -1796132456400952, 2, 2, '{"origin":{"store":"elsewhere","conversation_id":"7"}}');
INSERT INTO convostore_conversations (number, namespace, id, title, pinned, created_at, updated_at, stored_at, rank, message_count, next_seq, body)
VALUES (2, 'n', 'empty ', NULL, 1, NULL, 1796132456401736, 1796132456401760, -4613482150883789640, 0, 0, NULL);
INSERT INTO convostore_messages (number, namespace, conversation_id, seq, id, role, said_at, body)
VALUES (1, 'n', 'c', 0, 'm1', 'user', 1714979289123456, '{"parts":[{"kind":"text","text":"When is high tide at Hilo, 夏威夷?"}],"created_at":"2024-05-06T07:08:09.123456+00:00"}');
INSERT INTO convostore_messages (number, namespace, conversation_id, seq, id, role, said_at, body)
VALUES (2, 'n', 'c', 1, 'm2', 'assistant', 1796132456400596, '~{"parts":[{"kind":"reasoning","text":"a thought"},{"kind":"text","text":"At noon [1]."}],"sources":[{"title":"Tables of tides","url":"https://example.org/tides","mark":"1"}],"feedback":{"rating":"good","comment":"thanks"},"status":"complete","model":"a-model","raw":{"n":1,"s":""}}');
INSERT INTO convostore_title_words (rowid, words)
VALUES (1, 'nfc743252_was nfc743252_kept nfc743252_one nfc743252_what nfc743252_of nfc743252_version');
INSERT INTO convostore_title_words (rowid, words)
VALUES (2, '');
INSERT INTO convostore_message_words (rowid, words)
VALUES (1, 'nfc743252_at nfc743252_hilo nfc743252_tide nfc743252_when nfc743252_is nfc743252_夏 nfc743252_夷 nfc743252_威夷 nfc743252_威 nfc743252_high nfc743252_夏威');
INSERT INTO convostore_message_words (rowid, words)
VALUES (2, 'nfc743252_at nfc743252_of nfc743252_tables nfc743252_tides nfc743252_noon nfc743252_1');

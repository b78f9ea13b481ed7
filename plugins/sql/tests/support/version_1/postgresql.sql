-- Tables of version 1 with the rows of two conversations, as the library of that time made them.

CREATE TABLE convostore_schema (
	version INTEGER NOT NULL
);
CREATE TABLE convostore_conversations (
	namespace TEXT COLLATE "C" NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	title TEXT, 
	pinned BOOLEAN NOT NULL, 
	created_at BIGINT, 
	updated_at BIGINT, 
	stored_at BIGINT NOT NULL, 
	rank BIGINT NOT NULL, 
	message_count BIGINT NOT NULL, 
	next_seq BIGINT NOT NULL, 
	words TEXT[] NOT NULL, 
	body TEXT, 
	PRIMARY KEY (namespace, id)
);
CREATE INDEX convostore_conversations_listed ON convostore_conversations (namespace, rank, id);
CREATE INDEX convostore_conversations_words ON convostore_conversations USING gin (words);
CREATE TABLE convostore_messages (
	namespace TEXT COLLATE "C" NOT NULL, 
	conversation_id TEXT COLLATE "C" NOT NULL, 
	seq BIGINT NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	role TEXT NOT NULL, 
	said_at BIGINT NOT NULL, 
	words TEXT[] NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (namespace, conversation_id, seq), 
	UNIQUE (namespace, conversation_id, id)
);
CREATE INDEX convostore_messages_words ON convostore_messages USING gin (words);
INSERT INTO convostore_schema (version) VALUES (1);

INSERT INTO convostore_conversations (namespace, id, title, pinned, created_at, updated_at, stored_at, rank, message_count, next_seq, words, body)
VALUES ('n', 'c', 'What was kept of version one', false, 1714979289123456, 1796132459462889, 1796132459453468, -1796132459462889, 2, 2, ARRAY['nfc743252_was', 'nfc743252_kept', 'nfc743252_one', 'nfc743252_what', 'nfc743252_of', 'nfc743252_version']::text[], '{"origin":{"store":"elsewhere","conversation_id":"7"}}');
INSERT INTO convostore_conversations (namespace, id, title, pinned, created_at, updated_at, stored_at, rank, message_count, next_seq, words, body)
VALUES ('n', 'empty ', NULL, true, NULL, 1796132459473151, 1796132459473204, -4613482150886861055, 0, 0, ARRAY[]::text[], NULL);
INSERT INTO convostore_messages (namespace, conversation_id, seq, id, role, said_at, words, body)
VALUES ('n', 'c', 0, 'm1', 'user', 1714979289123456, ARRAY['nfc743252_at', 'nfc743252_hilo', 'nfc743252_tide', 'nfc743252_when', 'nfc743252_is', 'nfc743252_夏', 'nfc743252_夷', 'nfc743252_威夷', 'nfc743252_威', 'nfc743252_high', 'nfc743252_夏威']::text[], '{"parts":[{"kind":"text","text":"When is high tide at Hilo, 夏威夷?"}],"created_at":"2024-05-06T07:08:09.123456+00:00"}');
INSERT INTO convostore_messages (namespace, conversation_id, seq, id, role, said_at, words, body)
VALUES ('n', 'c', 1, 'm2', 'assistant', 1796132459461247, ARRAY['nfc743252_at', 'nfc743252_of', 'nfc743252_tables', 'nfc743252_tides', 'nfc743252_noon', 'nfc743252_1']::text[], '~{"parts":[{"kind":"reasoning","text":"a thought"},{"kind":"text","text":"At noon [1]."}],"sources":[{"title":"Tables of tides","url":"https://example.org/tides","mark":"1"}],"feedback":{"rating":"good","comment":"thanks"},"status":"complete","model":"a-model","raw":{"n":1,"s":""}}');

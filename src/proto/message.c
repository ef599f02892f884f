#include <lpd/proto/message.h>

#include <stdint.h>

/* protobuf-c's allocator over a scope, with a bound.  A field of two bytes can cost a struct of a
 * hundred: a peer pays for what it sends, times a factor that honest messages stay far below. */
struct purse {
	struct lp_scope *scope;
	size_t left;
};

static void *spend(void *self, size_t size)
{
	struct purse *purse = self;

	if (size > purse->left)
		return NULL;
	purse->left -= size;
	return lp_alloc(purse->scope, size);
}

static void keep(void *self, void *at)
{
	(void)self; /* the scope frees it */
	(void)at;
}

static bool strings_valid(const ProtobufCMessage *message);

/* Where a field's value stands in its message. */
static const void *member(const ProtobufCMessage *message, unsigned offset)
{
	return (const char *)message + offset;
}

/* One value of a field. */
static bool value_valid(const ProtobufCFieldDescriptor *field, const void *at)
{
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(const char *const *)at;

		return lp_utf8_valid(lp_span(text));
	}
	const ProtobufCMessage *inner = *(const ProtobufCMessage *const *)at;

	return !inner || strings_valid(inner);
}

static bool field_valid(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		uint32_t set = *(const uint32_t *)member(message, field->quantifier_offset);

		return set != field->id || value_valid(field, member(message, field->offset));
	}
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return value_valid(field, member(message, field->offset));
	size_t n = *(const size_t *)member(message, field->quantifier_offset);
	const char *const *values = *(const char *const *const *)member(message, field->offset);

	for (size_t i = 0; i < n; i++) {
		if (!value_valid(field, &values[i]))
			return false;
	}
	return true;
}

/* Recursion ends: no message of the network contains itself. */
static bool strings_valid(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *kind = message->descriptor;

	for (unsigned i = 0; i < kind->n_fields; i++) {
		if (!field_valid(message, &kind->fields[i]))
			return false;
	}
	return true;
}

void *lp_message_read(struct lp_scope *scope, const ProtobufCMessageDescriptor *kind,
		   struct lp_span bytes, size_t max)
{
	static const uint8_t nothing;

	if (bytes.len > max)
		return NULL;
	struct purse purse = { scope, 16 * 1024 + 32 * bytes.len };
	ProtobufCAllocator allocator = { spend, keep, &purse };
	const uint8_t *at = bytes.len ? (const uint8_t *)bytes.at : &nothing;
	ProtobufCMessage *message = protobuf_c_message_unpack(kind, &allocator, bytes.len, at);

	return message && strings_valid(message) ? message : NULL;
}

void lp_message_write(struct lp_buf *to, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	char *room = lp_buf_room(to, len);

	protobuf_c_message_pack(message, (uint8_t *)room);
	lp_buf_grew(to, len);
}

struct lp_span lp_message_bytes(ProtobufCBinaryData bytes)
{
	return lp_span_of(bytes.data, bytes.len);
}

ProtobufCBinaryData lp_message_lend(struct lp_span span)
{
	return (ProtobufCBinaryData){ span.len, (uint8_t *)(uintptr_t)span.at };
}

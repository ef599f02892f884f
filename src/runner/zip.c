#include "zip.h"

#include <string.h>

#include <lpd/base/assert.h>
#include <zlib.h>

#define END_SIZE 22		/* of the record that ends an archive, without its comment */
#define CENTRAL_SIZE 46
#define LOCAL_SIZE 30
#define STORED 0
#define DEFLATED 8

struct entry {
	uint32_t crc, packed, size, local;
	uint16_t method, flags;
	struct lp_span name;
};

static uint16_t u16(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (uint16_t)(b[0] | b[1] << 8);
}

static uint32_t u32(const char *at)
{
	return (uint32_t)u16(at) | (uint32_t)u16(at + 2) << 16;
}

static enum lp_code damaged(struct lp_err *e, const char *what)
{
	lp_fail(e, LP_BAD_REQUEST, "the archive is damaged: %s", what);
	return LP_BAD_REQUEST;
}

/* The end record is the last thing but for a comment of up to 64 KiB; NULL: there is none. */
static const char *find_end(struct lp_span archive)
{
	size_t back = END_SIZE;

	while (back <= archive.len && back <= END_SIZE + 65535) {
		const char *at = archive.at + archive.len - back;

		if (memcmp(at, "PK\5\6", 4) == 0 && (size_t)u16(at + 20) == back - END_SIZE)
			return at;
		back++;
	}
	return NULL;
}

/* One row of the directory; *rest moves on.  False: it does not fit. */
static bool next_entry(struct lp_span *rest, struct entry *entry)
{
	const char *at = rest->at;

	if (rest->len < CENTRAL_SIZE || memcmp(at, "PK\1\2", 4) != 0)
		return false;
	*entry = (struct entry){ .flags = u16(at + 8), .method = u16(at + 10), .crc = u32(at + 16),
				 .packed = u32(at + 20), .size = u32(at + 24), .local = u32(at + 42) };
	size_t name = u16(at + 28), whole = CENTRAL_SIZE + name + u16(at + 30) + u16(at + 32);

	if (rest->len < whole)
		return false;
	entry->name = lp_span_of(at + CENTRAL_SIZE, name);
	*rest = lp_span_skip(*rest, whole);
	return true;
}

static enum lp_code find(struct lp_span archive, const char *name, struct entry *entry, struct lp_err *e)
{
	const char *end = find_end(archive);

	if (!end)
		return damaged(e, "it has no directory");
	size_t n = u16(end + 10), size = u32(end + 12), at = u32(end + 16), before = (size_t)(end - archive.at);

	if (at > before || size > before - at)
		return damaged(e, "its directory lies outside");
	struct lp_span rest = lp_span_of(archive.at + at, size);

	for (size_t i = 0; i < n; i++) {
		if (!next_entry(&rest, entry))
			return damaged(e, "its directory is cut");
		if (lp_span_is(entry->name, name))
			return LP_OK;
	}
	lp_fail(e, LP_NOT_FOUND, "the archive has no %s", name);
	return LP_NOT_FOUND;
}

static bool inflate_all(char *to, size_t size, struct lp_span packed)
{
	z_stream z = { .avail_in = (uInt)packed.len, .avail_out = (uInt)size };
	/* zlib's interface has no const here; it does not write there. */
	union {
		const char *from;
		Bytef *to;
	} in = { .from = packed.at };

	z.next_in = in.to;
	z.next_out = (Bytef *)to;
	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return false;
	int rc = inflate(&z, Z_FINISH);
	bool whole = rc == Z_STREAM_END && z.total_out == size;

	inflateEnd(&z);
	return whole;
}

static enum lp_code packed_of(struct lp_span archive, const struct entry *entry, struct lp_span *packed,
			      struct lp_err *e)
{
	if ((size_t)entry->local + LOCAL_SIZE > archive.len)
		return damaged(e, "an entry lies outside");
	const char *at = archive.at + entry->local;

	if (memcmp(at, "PK\3\4", 4) != 0)
		return damaged(e, "an entry does not begin where the directory says");
	/* The sizes may stand behind the bytes here: the directory's count. */
	size_t head = LOCAL_SIZE + (size_t)u16(at + 26) + u16(at + 28);

	if (archive.len - entry->local < head || archive.len - entry->local - head < entry->packed)
		return damaged(e, "an entry is cut");
	*packed = lp_span_of(at + head, entry->packed);
	return LP_OK;
}

static bool unpack(char *to, const struct entry *entry, struct lp_span packed)
{
	if (entry->method == DEFLATED && !inflate_all(to, entry->size, packed))
		return false;
	if (entry->method == STORED && packed.len == entry->size)
		memcpy(to, packed.at, packed.len);
	else if (entry->method == STORED)
		return false;
	return crc32(0, (const Bytef *)to, (uInt)entry->size) == entry->crc;
}

enum lp_code lp_zip_read(struct lp_scope *scope, struct lp_span *out, const struct lp_zip_want *want, struct lp_err *e)
{
	struct entry entry;
	struct lp_span packed;
	enum lp_code code = find(want->archive, want->name, &entry, e);

	*out = (struct lp_span){ NULL, 0 };
	if (code != LP_OK)
		return code;
	if (entry.size > want->limit || entry.size == UINT32_MAX)
		return lp_fail(e, LP_TOO_LARGE, "%s in the archive is larger than %zu bytes", want->name,
			       want->limit);
	if ((entry.flags & 1) || (entry.method != STORED && entry.method != DEFLATED))
		return damaged(e, "an entry is encrypted or packed in an unknown way");
	/* Deflate packs a thousand to one at most: more is a lie that is not worth the memory. */
	if (entry.size / 1100 > entry.packed)
		return damaged(e, "an entry says more than it can hold");
	code = packed_of(want->archive, &entry, &packed, e);
	if (code != LP_OK)
		return code;
	char *to = lp_alloc(scope, (size_t)entry.size + 1);

	if (!unpack(to, &entry, packed))
		return damaged(e, "an entry's checksum is wrong");
	*out = lp_span_of(to, entry.size);
	return LP_OK;
}

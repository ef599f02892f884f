/* Files out of archives, whole ones and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <lpd/base/buf.h>
#include <zlib.h>

#include "zip.h"

struct entry {
	const char *name;
	struct lp_span bytes;
	bool deflate;
};

static void put(struct lp_buf *to, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		lp_buf_add_char(to, (char)(v >> 8 * i));
}

static struct lp_span packed(struct lp_scope *scope, const struct entry *entry)
{
	if (!entry->deflate)
		return entry->bytes;
	z_stream z = { .avail_in = (uInt)entry->bytes.len };
	size_t room = entry->bytes.len + 100;
	unsigned char *out = lp_alloc(scope, room);

	z.next_in = (Bytef *)lp_strdup(scope, entry->bytes);
	z.next_out = out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return lp_span_of(out, z.total_out);
}

static void put_sizes(struct lp_buf *to, const struct entry *entry, struct lp_span bytes)
{
	put(to, 20, 2);
	put(to, 0, 2);
	put(to, entry->deflate ? 8 : 0, 2);
	put(to, 0, 4);
	put(to, crc32(0, (const Bytef *)entry->bytes.at, (uInt)entry->bytes.len), 4);
	put(to, bytes.len, 4);
	put(to, entry->bytes.len, 4);
	put(to, strlen(entry->name), 2);
	put(to, 0, 2);
}

static struct lp_span archive(struct lp_scope *scope, const struct entry *entries, int n)
{
	struct lp_buf out = { 0 }, directory = { 0 };

	for (int i = 0; i < n; i++) {
		struct lp_span bytes = packed(scope, &entries[i]);
		size_t at = out.len;

		lp_buf_add(&out, "PK\3\4", 4);
		put_sizes(&out, &entries[i], bytes);
		lp_buf_add_text(&out, entries[i].name);
		lp_buf_add_span(&out, bytes);
		lp_buf_add(&directory, "PK\1\2\x14\0", 6);
		put_sizes(&directory, &entries[i], bytes);
		put(&directory, 0, 8);
		put(&directory, 0, 2);
		put(&directory, at, 4);
		lp_buf_add_text(&directory, entries[i].name);
	}
	size_t at = out.len;

	lp_buf_add_span(&out, lp_buf_span(&directory));
	lp_buf_add(&out, "PK\5\6\0\0\0\0", 8);
	put(&out, (uint64_t)n, 2);
	put(&out, (uint64_t)n, 2);
	put(&out, directory.len, 4);
	put(&out, at, 4);
	put(&out, 3, 2);
	lp_buf_add(&out, "end", 3);
	struct lp_span all = lp_span_dup(scope, lp_buf_span(&out));

	lp_buf_clear(&out);
	lp_buf_clear(&directory);
	return all;
}

static struct lp_span sample(struct lp_scope *scope)
{
	char *text = lp_alloc(scope, 5000);

	for (int i = 0; i < 5000; i++)
		text[i] = (char)('a' + i % 7 * (i / 500));
	const struct entry entries[] = { { "a/one.txt", LP_SPAN("first"), false },
					 { "a/two.bin", lp_span_of(text, 5000), true },
					 { "empty", LP_SPAN(""), false } };

	return archive(scope, entries, 3);
}

#define take(scope, out, from, entry, most) \
	lp_zip_read(scope, out, &(struct lp_zip_want){ .archive = from, .name = entry, .limit = most }, NULL)

static void stored_and_deflated_entries_are_found_by_name(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_span zip = sample(scope), out;

	(void)state;
	assert_int_equal(take(scope, &out, zip, "a/one.txt", 100), LP_OK);
	assert_true(lp_span_is(out, "first"));
	assert_int_equal(take(scope, &out, zip, "a/two.bin", 5000), LP_OK);
	assert_int_equal(out.len, 5000);
	assert_int_equal(out.at[4999], 'a' + 4999 % 7 * 9);
	assert_int_equal(take(scope, &out, zip, "empty", 0), LP_OK);
	assert_int_equal(out.len, 0);
	assert_int_equal(take(scope, &out, zip, "one.txt", 100), LP_NOT_FOUND);
	lp_scope_close(&scope);
}

static void an_entry_above_the_limit_is_refused(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_span out;

	(void)state;
	assert_int_equal(take(scope, &out, sample(scope), "a/two.bin", 4999), LP_TOO_LARGE);
	lp_scope_close(&scope);
}

/* Any one byte of the archive turned over: an error or, where nobody looks, the same file. */
static void no_damaged_byte_gives_a_wrong_file(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_span zip = sample(scope), good, out;
	int refused = 0;

	(void)state;
	assert_int_equal(take(scope, &good, zip, "a/two.bin", 5000), LP_OK);
	for (size_t i = 0; i < zip.len; i++) {
		char *copy = lp_strdup(scope, zip);

		copy[i] = (char)~copy[i];
		if (take(scope, &out, lp_span_of(copy, zip.len), "a/two.bin", 6000) == LP_OK)
			assert_true(lp_span_eq(out, good));
		else
			refused++;
	}
	assert_true(refused > 50);
	for (size_t cut = 0; cut < zip.len; cut++)
		assert_int_not_equal(take(scope, &out, lp_span_of(zip.at, cut), "a/two.bin", 6000), LP_OK);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_and_deflated_entries_are_found_by_name),
		cmocka_unit_test(an_entry_above_the_limit_is_refused),
		cmocka_unit_test(no_damaged_byte_gives_a_wrong_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

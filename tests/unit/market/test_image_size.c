#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/request.h>

struct sample {
	const char *name;
	struct lp_span head;
	uint32_t width, height;
};

static const struct sample samples[] = {
	{ "png", LP_SPAN("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x01\0\0\x01\x02\x08\x02\0\0\0crc!"),
	  513, 258 },
	{ "gif", LP_SPAN("GIF89a\x2c\x01\x02\0\x80\0\0"), 300, 2 },
	{ "old gif", LP_SPAN("GIF87a\x01\0\x02\x01\0\0\0"), 1, 258 },
	{ "jpeg",
	  LP_SPAN("\xff\xd8\xff\xe0\0\x04JF\xff\xdb\0\x03q\xff\xff\xc0\0\x0b\x08\x01\x02\x03\x04"
		  "\x01\x11"),
	  772, 258 },
	{ "progressive jpeg", LP_SPAN("\xff\xd8\xff\xc2\0\x0b\x08\0\x02\0\x03\x01\x11"), 3, 2 },
	{ "lossy webp",
	  LP_SPAN("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0\x30\x01\0\x9d\x01\x2a\x10\x40\x20\x80"), 16,
	  32 },
	{ "lossless webp", LP_SPAN("RIFF\x24\0\0\0WEBPVP8L\x18\0\0\0\x2f\x0f\xc0\x07\0aaaaa"), 16,
	  32 },
	{ "extended webp", LP_SPAN("RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x03\0\x01\0\0"),
	  1024, 2 },
};

static void the_size_is_read_from_the_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		uint32_t width, height;

		if (!lp_image_size(samples[i].head, &width, &height))
			print_message("%s\n", samples[i].name);
		assert_true(lp_image_size(samples[i].head, &width, &height));
		assert_int_equal(width, samples[i].width);
		assert_int_equal(height, samples[i].height);
	}
}

static void a_header_cut_anywhere_has_no_size(void **state)
{
	(void)state;
	char exact[64];

	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		uint32_t width, height;
		size_t least = samples[i].head.len;

		/* A JPEG's size is known before its frame header ends. */
		if (strstr(samples[i].name, "jpeg"))
			least = samples[i].head.len - 2;
		for (size_t n = 0; n < least; n++) {
			memcpy(exact, samples[i].head.at, n);
			assert_false(lp_image_size(lp_span_of(exact, n), &width, &height));
		}
	}
}

static void what_is_no_picture_has_no_size(void **state)
{
	(void)state;
	static const struct lp_span
		others[] = {
			{ NULL, 0 },
			LP_SPAN("GIF88a\x2c\x01\x02\0\x80\0\0"),
			LP_SPAN("\x89PNG\r\n\x1a\n\0\0\0\x0dIDAT\0\0\x02\x01\0\0\x01\x02\x08\x02\0"
				"\0\0crc!"),
			LP_SPAN("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\x01\x02\x08\x02\0\0\0crc"
				"!"), /* no width */
			LP_SPAN("\xff\xd8\xff\xda\0\x04JF\xff\xc0\0\x0b\x08\x01\x02\x03\x04\x01"
				"\x11"), /* a scan first */
			LP_SPAN("\xff\xd8\xff\xd9\0\x04JF\xff\xc0\0\x0b\x08\x01\x02\x03\x04\x01"
				"\x11"), /* it ends */
			LP_SPAN("\xff\xd8\xff\x01\0\x04JF\xff\xc0\0\x0b\x08\x01\x02\x03\x04\x01"
				"\x11"),
			LP_SPAN("\xff\xd8\xff\xe0\0\x01JF\xff\xc0\0\x0b\x08\x01\x02\x03\x04\x01"
				"\x11"), /* too short a segment */
			LP_SPAN("\xff\xd8\xff\xe0\0\x03JF\xff\xc0\0\x0b\x08\x01\x02\x03\x04\x01"
				"\x11"), /* no marker where one must be */
			LP_SPAN("\xff\xd8\xff\xc4\0\x04JF\xff\xc8\0\x0b\x08\x01\x02\x03\x04\x01"
				"\x11"),
			LP_SPAN("RIFF\x24\0\0\0WEBPVP8 "
				"\x18\0\0\0\x30\x01\0\x9d\x01\x2b\x10\x40\x20\x80"),
			LP_SPAN("RIFF\x24\0\0\0WEBPVP8L\x18\0\0\0\x2e\x0f\xc0\x07\0aaaaa"),
			LP_SPAN("RIFF\x24\0\0\0WEBPVP8Z\x0a\0\0\0\0\0\0\0\xff\x03\0\x01\0\0"),
		};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		uint32_t width, height;

		assert_false(lp_image_size(others[i], &width, &height));
	}
}

/* A camera's JPEG: 300 KB of EXIF, a colour profile and a preview before the frame. */
static struct lp_span long_jpeg(char at[400000])
{
	static const unsigned char frame[] = { 0xff, 0xc0, 0, 0x0b, 8, 0x0b, 0xb8, 0x0f, 0xa0, 1, 0x11 };
	size_t len = 2;

	memset(at, 0xff, 400000);
	memcpy(at, "\xff\xd8", 2);
	for (int i = 0; i < 5; i++) {
		memcpy(at + len, i < 3 ? "\xff\xe1\xff\xff" : "\xff\xff\xff\xe2\xea\x60", i < 3 ? 4 : 6);
		len += i < 3 ? 2 + 65535 : 4 + 60000;
	}
	memcpy(at + len, frame, sizeof frame);
	return lp_span_of(at, len + sizeof frame);
}

static void a_jpegs_size_is_found_behind_long_notes_in_any_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 1000, 65536, 400000 };
	static char at[400000];
	struct lp_span jpeg = long_jpeg(at);

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct lp_jpeg_scan scan = { 0 };
		bool known = false;

		for (size_t n = 0; n < jpeg.len; n += pieces[i]) {
			struct lp_span rest = lp_span_skip(jpeg, n);

			assert_false(known && n < 300000);
			rest.len = rest.len < pieces[i] ? rest.len : pieces[i];
			known = lp_jpeg_scan(&scan, rest);
		}
		assert_true(known);
		assert_int_equal(scan.width, 4000);
		assert_int_equal(scan.height, 3000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_size_is_read_from_the_header),
		cmocka_unit_test(a_header_cut_anywhere_has_no_size),
		cmocka_unit_test(what_is_no_picture_has_no_size),
		cmocka_unit_test(a_jpegs_size_is_found_behind_long_notes_in_any_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

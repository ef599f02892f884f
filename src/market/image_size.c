#include <lpd/market/request.h>

/* Only headers are read: no decoder is near untrusted pictures (network-protocol 5.3 step 4 needs
 * the size for the price). */

static uint32_t byte_at(struct lp_span head, size_t at)
{
	return (unsigned char)head.at[at];
}

static uint32_t big16(struct lp_span head, size_t at)
{
	return byte_at(head, at) << 8 | byte_at(head, at + 1);
}

static uint32_t big32(struct lp_span head, size_t at)
{
	return big16(head, at) << 16 | big16(head, at + 2);
}

static uint32_t little16(struct lp_span head, size_t at)
{
	return byte_at(head, at + 1) << 8 | byte_at(head, at);
}

static uint32_t little24(struct lp_span head, size_t at)
{
	return byte_at(head, at + 2) << 16 | little16(head, at);
}

/* The bytes at this place, all there. */
static bool stands_at(struct lp_span head, size_t at, struct lp_span what)
{
	return head.len >= at + what.len && lp_span_eq(lp_span_of(head.at + at, what.len), what);
}

/* Signature, then IHDR of 13 bytes: width, height. */
static bool size_of_png(struct lp_span head, uint32_t *width, uint32_t *height)
{
	if (!stands_at(head, 0, LP_SPAN("\x89PNG\r\n\x1a\n")) ||
	    !stands_at(head, 8, LP_SPAN("\0\0\0\rIHDR")) || head.len < 33)
		return false;
	*width = big32(head, 16);
	*height = big32(head, 20);
	return true;
}

static bool size_of_gif(struct lp_span head, uint32_t *width, uint32_t *height)
{
	if ((!stands_at(head, 0, LP_SPAN("GIF87a")) && !stands_at(head, 0, LP_SPAN("GIF89a"))) ||
	    head.len < 13)
		return false;
	*width = little16(head, 6);
	*height = little16(head, 8);
	return true;
}

/* C0 to CF begin a frame, but for three: DHT, JPG and DAC. */
static bool begins_frame(uint32_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
	       marker != 0xcc;
}

/* One more byte of a segment's head; true when it says enough to go on. */
static bool take_byte(struct lp_jpeg_scan *s, unsigned char byte)
{
	s->seen[s->n++] = byte;
	if (s->seen[0] != 0xff || (!s->began && s->n == 2 && byte != 0xd8)) {
		s->over = true;
	} else if (s->n == 2 && !s->began) {
		s->began = true;
		s->n = 0;
	} else if (s->n == 2 && byte == 0xff) {
		s->n = 1;	/* fill bytes may stand before a marker */
	}
	return !s->over && s->n >= 4 && (!begins_frame(s->seen[1]) || s->n == sizeof(s->seen));
}

/* From marker to marker until the one that begins a frame; a scan before it has no size. */
static void next_segment(struct lp_jpeg_scan *s)
{
	struct lp_span head = lp_span_of(s->seen, s->n);
	uint32_t marker = byte_at(head, 1), len = big16(head, 2);

	s->n = 0;
	if (begins_frame(marker)) {
		s->height = big16(head, 5);
		s->width = big16(head, 7);
		s->over = true;
	} else if (marker < 0xc0 || marker == 0xda || marker == 0xd9 || len < 2) {
		s->over = true;
	} else {
		s->skip = len - 2;
	}
}

bool lp_jpeg_scan(struct lp_jpeg_scan *s, struct lp_span bytes)
{
	while (bytes.len && !s->over) {
		size_t n = s->skip < bytes.len ? (size_t)s->skip : bytes.len;

		if (!n && take_byte(s, (unsigned char)*bytes.at))
			next_segment(s);
		bytes = lp_span_skip(bytes, n ? n : 1);
		s->skip -= n;
	}
	return s->width && s->height;
}

static bool size_of_jpeg(struct lp_span head, uint32_t *width, uint32_t *height)
{
	struct lp_jpeg_scan scan = { 0 };

	if (!lp_jpeg_scan(&scan, head))
		return false;
	*width = scan.width;
	*height = scan.height;
	return true;
}

/* RIFF, then one of three first chunks: lossy, lossless, extended. */
static bool size_of_webp(struct lp_span head, uint32_t *width, uint32_t *height)
{
	if (!stands_at(head, 0, LP_SPAN("RIFF")) || !stands_at(head, 8, LP_SPAN("WEBPVP8")) ||
	    head.len < 30)
		return false;
	if (stands_at(head, 15, LP_SPAN(" ")) && stands_at(head, 23, LP_SPAN("\x9d\x01\x2a"))) {
		*width = little16(head, 26) & 0x3fff;
		*height = little16(head, 28) & 0x3fff;
		return true;
	}
	if (stands_at(head, 15, LP_SPAN("L")) && byte_at(head, 20) == 0x2f) {
		uint32_t bits = little16(head, 21) | little16(head, 23) << 16;

		*width = (bits & 0x3fff) + 1;
		*height = (bits >> 14 & 0x3fff) + 1;
		return true;
	}
	if (!stands_at(head, 15, LP_SPAN("X")))
		return false;
	*width = little24(head, 24) + 1;
	*height = little24(head, 27) + 1;
	return true;
}

bool lp_image_size(struct lp_span head, uint32_t *width, uint32_t *height)
{
	*width = *height = 0;
	bool known = size_of_png(head, width, height) || size_of_jpeg(head, width, height) ||
		     size_of_gif(head, width, height) || size_of_webp(head, width, height);

	return known && *width > 0 && *height > 0;
}

#include <math.h>
#include <string.h>

#include <lpd/base/mem.h>

#include "wav.h"

#define PCM 1
#define FLOATS 3
#define EXTENSIBLE 0xfffe
#define CHANNELS 8
#define LOBES 16		/* of the window, on each side of a sample */

struct form {
	unsigned kind, channels, bits;
	uint32_t rate;
};

static uint32_t number(struct lp_span at, size_t from, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint32_t)(unsigned char)at.at[from + i] << 8 * i;
	return v;
}

static bool read_form(struct form *f, struct lp_span chunk)
{
	if (chunk.len < 16)
		return false;
	f->kind = number(chunk, 0, 2);
	f->channels = number(chunk, 2, 2);
	f->rate = number(chunk, 4, 4);
	f->bits = number(chunk, 14, 2);
	if (f->kind == EXTENSIBLE && chunk.len >= 26)
		f->kind = number(chunk, 24, 2);
	return true;
}

static bool known(const struct form *f)
{
	bool whole = f->kind == PCM && (f->bits == 8 || f->bits == 16 || f->bits == 24 || f->bits == 32);

	return (whole || (f->kind == FLOATS && f->bits == 32)) && f->channels >= 1 && f->channels <= CHANNELS &&
	       f->rate >= 4000 && f->rate <= 192000;
}

static float sample(const struct form *f, struct lp_span at, size_t from)
{
	uint32_t v = number(at, from, f->bits / 8);
	float x;

	if (f->kind == FLOATS) {
		memcpy(&x, &v, sizeof x);
		return x > -1.0f ? (x < 1.0f ? x : 1.0f) : (x <= -1.0f ? -1.0f : 0.0f);	/* and no number: silence */
	}
	if (f->bits == 8)
		return ((float)v - 128.0f) / 128.0f;
	int32_t wide = (int32_t)(v << (32 - f->bits));

	return (float)wide / 2147483648.0f;
}

static void mix(struct lp_samples *out, const struct form *f, struct lp_span data)
{
	size_t bytes = f->bits / 8, frame = bytes * f->channels;

	for (size_t i = 0; i < out->n; i++) {
		float sum = 0.0f;

		for (size_t c = 0; c < f->channels; c++)
			sum += sample(f, data, i * frame + c * bytes);
		out->at[i] = sum / (float)f->channels;
	}
}

/* The two chunks that matter; a length beyond the file's end (written before it was known) means "to the end". */
static bool find_chunks(struct lp_span rest, struct lp_span *form, struct lp_span *data)
{
	*form = *data = (struct lp_span){ NULL, 0 };
	while (rest.len >= 8 && !data->at) {
		struct lp_span name = lp_span_of(rest.at, 4);
		uint32_t said = number(rest, 4, 4);

		rest = lp_span_skip(rest, 8);
		size_t len = said < rest.len ? said : rest.len;

		if (lp_span_is(name, "fmt "))
			*form = lp_span_of(rest.at, len);
		else if (lp_span_is(name, "data"))
			*data = lp_span_of(rest.at, len);
		rest = lp_span_skip(rest, len + (len & 1) <= rest.len ? len + (len & 1) : len);
	}
	return form->at && data->at;
}

enum lp_code lp_wav_read(struct lp_scope *scope, struct lp_samples *out, struct lp_span file, struct lp_err *e)
{
	struct lp_span chunk, data;
	struct form f;

	*out = (struct lp_samples){ .n = 0 };
	if (file.len < 12 || !lp_span_starts(file, "RIFF") || memcmp(file.at + 8, "WAVE", 4) != 0)
		return lp_fail(e, LP_MEDIA_TYPE, "this runner reads sound as WAVE files only");
	if (!find_chunks(lp_span_skip(file, 12), &chunk, &data) || !read_form(&f, chunk))
		return lp_fail(e, LP_BAD_REQUEST, "the WAVE file is broken");
	if (!known(&f))
		return lp_fail(e, LP_MEDIA_TYPE,
			       "this runner reads WAVE files of PCM or 32-bit floats, up to %d channels", CHANNELS);
	out->rate = (int)f.rate;
	out->n = data.len / (f.bits / 8 * f.channels);
	if (out->n / f.rate >= LP_WAV_SECONDS)
		return lp_fail(e, LP_TOO_LARGE, "the recording is longer than %d s", LP_WAV_SECONDS);
	out->at = lp_new_array(scope, float, out->n + 1);
	mix(out, &f, data);
	return LP_OK;
}

static double window(double x)		/* sinc under a Hann window, x in samples of the narrower rate */
{
	if (fabs(x) < 1e-9)
		return 1.0;
	if (fabs(x) >= LOBES)
		return 0.0;
	return sin(M_PI * x) / (M_PI * x) * 0.5 * (1.0 + cos(M_PI * x / LOBES));
}

void lp_resample(struct lp_scope *scope, struct lp_samples *out, const struct lp_samples *from, int rate)
{
	double step = (double)from->rate / rate, narrow = step > 1.0 ? 1.0 / step : 1.0, reach = LOBES / narrow;

	if (from->rate == rate) {
		*out = *from;
		return;
	}
	*out = (struct lp_samples){ .rate = rate, .n = (size_t)((double)from->n / step) };
	out->at = lp_new_array(scope, float, out->n + 1);
	for (size_t i = 0; i < out->n; i++) {
		double middle = (double)i * step, sum = 0.0;
		int64_t first = (int64_t)ceil(middle - reach), last = (int64_t)floor(middle + reach);

		first = first > 0 ? first : 0;
		last = last < (int64_t)from->n ? last : (int64_t)from->n - 1;
		for (int64_t k = first; k <= last; k++)
			sum += (double)from->at[k] * window(((double)k - middle) * narrow) * narrow;
		out->at[i] = (float)sum;
	}
}

#include "lpd_sound.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#define PAGE 32768
#define CHANNELS 64
#define FASTEST 48000		/* an hour of more would not fit into the process; speech needs a third of it */

struct reading {
	const struct lpd_sound_want *want;
	size_t at;			/* in the file */
	AVFormatContext *format;
	AVCodecContext *codec;
	AVIOContext *io;
	AVPacket *packet;
	AVFrame *frame;
	int stream;
	struct lpd_sound *out;
	size_t room;
	int rate, step, held;		/* of the file; so many of its samples make one of ours; of those are in sum */
	float sum;
};

static int on_read(void *self, uint8_t *to, int n)
{
	struct reading *r = self;
	size_t left = r->want->size - r->at, take = (size_t)n < left ? (size_t)n : left;

	if (!take)
		return AVERROR_EOF;
	memcpy(to, r->want->file + r->at, take);
	r->at += take;
	return (int)take;
}

static int64_t on_seek(void *self, int64_t to, int whence)
{
	struct reading *r = self;
	int64_t size = (int64_t)r->want->size;
	int64_t base = whence == SEEK_CUR ? (int64_t)r->at : whence == SEEK_END ? size : 0;

	if (whence & AVSEEK_SIZE)
		return size;
	if (to < -base || base + to > size)
		return AVERROR(EINVAL);
	r->at = (size_t)(base + to);
	return base + to;
}

static int on_interrupt(void *self)
{
	const struct reading *r = self;

	return r->want->stopped(r->want->self);
}

static float sample(const uint8_t *at, enum AVSampleFormat kind)
{
	int16_t s16;
	int32_t s32;
	float f;
	double d;

	switch ((int)av_get_packed_sample_fmt(kind)) {
	case AV_SAMPLE_FMT_U8:
		return ((float)*at - 128.0f) / 128.0f;
	case AV_SAMPLE_FMT_S16:
		memcpy(&s16, at, sizeof s16);
		return (float)s16 / 32768.0f;
	case AV_SAMPLE_FMT_S32:
		memcpy(&s32, at, sizeof s32);
		return (float)s32 / 2147483648.0f;
	case AV_SAMPLE_FMT_FLT:
		memcpy(&f, at, sizeof f);
		return f > -1.0f ? (f < 1.0f ? f : 1.0f) : (f <= -1.0f ? -1.0f : 0.0f);
	case AV_SAMPLE_FMT_DBL:
		memcpy(&d, at, sizeof d);
		return d > -1.0 ? (d < 1.0 ? (float)d : 1.0f) : (d <= -1.0 ? -1.0f : 0.0f);
	default:
		return 0.0f;
	}
}

/* Grows to twice its size; never beyond the seconds that were asked for. */
static int make_room(struct reading *r, size_t more)
{
	size_t want = r->out->n + more;

	if (want <= r->room)
		return 1;
	want = want > 2 * r->room ? want : 2 * r->room;
	float *v = realloc(r->out->samples, want * sizeof *v);

	if (!v)
		return 0;
	r->out->samples = v;
	r->room = want;
	return 1;
}

/* False: no rate that is known here. */
static int take_rate(struct reading *r, int rate)
{
	if (rate < 1000 || rate > 768000)
		return 0;
	r->rate = rate;
	r->step = (rate + FASTEST - 1) / FASTEST;
	r->out->rate = rate / r->step;
	return 1;
}

/* The mean of so many as make one of ours. */
static void put(struct reading *r, float one)
{
	r->sum += one;
	if (++r->held < r->step)
		return;
	r->out->samples[r->out->n++] = r->sum / (float)r->step;
	r->sum = 0.0f;
	r->held = 0;
}

/* Channels are mixed.  0: enough was read, or there is no memory. */
static int take_frame(struct reading *r)
{
	const AVFrame *f = r->frame;
	enum AVSampleFormat kind = (enum AVSampleFormat)f->format;
	int channels = f->ch_layout.nb_channels, bytes = av_get_bytes_per_sample(kind);
	int planar = av_sample_fmt_is_planar(kind);

	if (channels < 1 || channels > CHANNELS || bytes < 1 || f->nb_samples < 0)
		return 1;
	if (!r->rate && !take_rate(r, f->sample_rate))
		return 0;
	if (f->sample_rate != r->rate)
		return 1;		/* a stream that changes its rate: the rest of that kind is left out */
	if (r->out->n > (size_t)r->want->seconds * (size_t)r->out->rate || !make_room(r, (size_t)f->nb_samples))
		return 0;
	for (int i = 0; i < f->nb_samples; i++) {
		float sum = 0.0f;

		for (int c = 0; c < channels; c++)
			sum += sample(planar ? f->extended_data[c] + (size_t)i * (size_t)bytes :
					       f->extended_data[0] + ((size_t)i * (size_t)channels + (size_t)c) *
						       (size_t)bytes, kind);
		put(r, sum / (float)channels);
	}
	return 1;
}

static int open_file(struct reading *r)
{
	unsigned char *page = av_malloc(PAGE);
	const AVCodec *decoder = NULL;

	r->io = page ? avio_alloc_context(page, PAGE, 0, r, on_read, NULL, on_seek) : NULL;
	r->format = avformat_alloc_context();
	if (!r->io || !r->format)
		return 0;
	r->format->pb = r->io;
	r->format->interrupt_callback = (AVIOInterruptCB){ on_interrupt, r };
	r->format->max_streams = 32;
	if (avformat_open_input(&r->format, NULL, NULL, NULL) < 0 || avformat_find_stream_info(r->format, NULL) < 0)
		return 0;
	r->stream = av_find_best_stream(r->format, AVMEDIA_TYPE_AUDIO, -1, -1, &decoder, 0);
	if (r->stream < 0 || !decoder)
		return 0;
	r->codec = avcodec_alloc_context3(decoder);
	if (!r->codec || avcodec_parameters_to_context(r->codec, r->format->streams[r->stream]->codecpar) < 0)
		return 0;
	r->codec->thread_count = 1;
	r->packet = av_packet_alloc();
	r->frame = av_frame_alloc();
	return r->packet && r->frame && avcodec_open2(r->codec, decoder, NULL) >= 0;
}

/* 0: no more is wanted. */
static int take_frames(struct reading *r)
{
	int go_on = 1;

	while (go_on && avcodec_receive_frame(r->codec, r->frame) >= 0) {
		go_on = take_frame(r);
		av_frame_unref(r->frame);
	}
	return go_on;
}

static void read_all(struct reading *r)
{
	int go_on = 1;

	while (go_on && !on_interrupt(r) && av_read_frame(r->format, r->packet) >= 0) {
		if (r->packet->stream_index == r->stream && avcodec_send_packet(r->codec, r->packet) >= 0)
			go_on = take_frames(r);
		av_packet_unref(r->packet);
	}
	if (go_on && avcodec_send_packet(r->codec, NULL) >= 0)
		take_frames(r);
}

static void close_file(struct reading *r)
{
	av_frame_free(&r->frame);
	av_packet_free(&r->packet);
	avcodec_free_context(&r->codec);
	avformat_close_input(&r->format);
	if (r->io)
		av_freep(&r->io->buffer);
	avio_context_free(&r->io);
}

__attribute__((visibility("default"))) enum lpd_sound_result lpd_sound_read_1(const struct lpd_sound_want *want,
									     struct lpd_sound *out)
{
	struct reading r = { .want = want, .out = out };

	*out = (struct lpd_sound){ .n = 0 };
	av_log_set_level(AV_LOG_QUIET);		/* its words may quote the file */
	if (open_file(&r))
		read_all(&r);
	close_file(&r);
	if (want->stopped(want->self) || !out->n) {
		free(out->samples);
		out->samples = NULL;
		out->n = 0;
		return want->stopped(want->self) ? LPD_SOUND_STOPPED : LPD_SOUND_UNKNOWN;
	}
	return LPD_SOUND_READ;
}

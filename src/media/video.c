/* media/video - see the header.
 *
 * What ai-http-api 2.9 says of the network's workers: H.264, at most 6000 kbit/s, one frame for each picture, no
 * sound.  The index stands at the file's front, so that a browser can begin to play before it has all of it. */
#include "video.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <lpd/base/mem.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "picture.h"

#define BIT_RATE 6000000
#define WINDOW (64 * 1024)
#define FILE_MAX (INT64_C(300) << 20)	/* bytes; no gateway of the network takes more */
#define INDEX_FIXED 8192		/* bytes kept free for the index, */
#define INDEX_FRAME 48			/* and so many for each frame */

struct lp_video {
	struct lp_video_want want;
	struct lp_buf file;
	size_t at;			/* where libavformat writes next */
	AVIOContext *io;
	AVFormatContext *format;
	AVCodecContext *codec;
	AVStream *stream;
	struct SwsContext *scale;
	int scale_from[3];		/* width, height and format that `scale` was made for */
	AVFrame *frame;
	AVPacket *packet;
	int64_t count;
};

/* In the order of our liking; all of them play in today's browsers. */
static const char *const encoders[] = { "libx264", "libopenh264", "libvpx-vp9" };

static const AVCodec *find_encoder(void)
{
	const AVCodec *codec = NULL;

	for (size_t i = 0; !codec && i < sizeof(encoders) / sizeof(*encoders); i++)
		codec = avcodec_find_encoder_by_name(encoders[i]);
	return codec;
}

const char *lp_video_encoder(void)
{
	const AVCodec *codec = find_encoder();

	return codec ? codec->name : NULL;
}

/* ---- the file, in memory: libavformat goes back in it to write the index ---- */

#if LIBAVFORMAT_VERSION_MAJOR < 61
typedef uint8_t to_write;
#else
typedef const uint8_t to_write;
#endif

static int write_file(void *opaque, to_write *bytes, int size)
{
	struct lp_video *v = opaque;
	size_t end = v->at + (size_t)size;

	if (size < 0 || end > FILE_MAX)
		return AVERROR(ENOSPC);
	if (end > v->file.len) {
		size_t more = end - v->file.len;

		memset(lp_buf_room(&v->file, more), 0, more);
		lp_buf_grew(&v->file, more);
	}
	memcpy(v->file.mem + v->file.off + v->at, bytes, (size_t)size);
	v->at = end;
	return size;
}

static int64_t seek_file(void *opaque, int64_t offset, int whence)
{
	struct lp_video *v = opaque;

	if (whence & AVSEEK_SIZE)
		return (int64_t)v->file.len;
	if (whence == SEEK_CUR)
		offset += (int64_t)v->at;
	else if (whence == SEEK_END)
		offset += (int64_t)v->file.len;
	if (offset < 0 || offset > FILE_MAX)
		return AVERROR(EINVAL);
	v->at = (size_t)offset;
	return offset;
}

/* ---- opening ---- */

static enum lp_code broke(struct lp_err *e, const char *what, int why)
{
	char words[AV_ERROR_MAX_STRING_SIZE] = "";

	av_strerror(why, words, sizeof(words));
	return lp_fail(e, LP_INTERNAL, "the video cannot be %s: %s", what, words);
}

/* One thread and a short look ahead: memory stays small, and a video of this length is made in a moment. */
static void set_codec(struct lp_video *v, const AVCodec *encoder)
{
	AVCodecContext *c = v->codec;

	c->width = v->want.width & ~1;
	c->height = v->want.height & ~1;
	c->time_base = (AVRational){ 1, v->want.fps };
	c->framerate = (AVRational){ v->want.fps, 1 };
	c->pix_fmt = AV_PIX_FMT_YUV420P;
	c->colorspace = AVCOL_SPC_BT709;
	c->color_primaries = AVCOL_PRI_BT709;
	c->color_trc = AVCOL_TRC_BT709;
	c->color_range = AVCOL_RANGE_MPEG;
	c->gop_size = 4 * v->want.fps;
	c->thread_count = 1;
	c->rc_max_rate = BIT_RATE;
	c->rc_buffer_size = 2 * BIT_RATE;
	if (strcmp(encoder->name, "libx264") == 0) {
		av_opt_set(c->priv_data, "preset", "fast", 0);
		av_opt_set(c->priv_data, "crf", "18", 0);
		av_opt_set(c->priv_data, "x264-params", "rc-lookahead=10:sync-lookahead=0", 0);
	} else {
		c->bit_rate = BIT_RATE;
	}
	if (v->format->oformat->flags & AVFMT_GLOBALHEADER)
		c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
}

static enum lp_code open_codec(struct lp_video *v, struct lp_err *e)
{
	const AVCodec *encoder = find_encoder();
	int why;

	if (!encoder)
		return lp_fail(e, LP_UNAVAILABLE, "this machine's libavcodec has no encoder that browsers play");
	v->codec = avcodec_alloc_context3(encoder);
	if (!v->codec)
		return lp_fail(e, LP_UNAVAILABLE, "there is no memory for this");
	set_codec(v, encoder);
	why = avcodec_open2(v->codec, encoder, NULL);
	return why < 0 ? broke(e, "begun", why) : LP_OK;
}

static enum lp_code open_file(struct lp_video *v, struct lp_err *e)
{
	int why = avformat_alloc_output_context2(&v->format, NULL, "mp4", NULL);

	if (why < 0)
		return broke(e, "begun", why);
	v->io = avio_alloc_context(av_malloc(WINDOW), WINDOW, 1, v, NULL, write_file, seek_file);
	v->stream = avformat_new_stream(v->format, NULL);
	if (!v->io || !v->stream)
		return lp_fail(e, LP_UNAVAILABLE, "there is no memory for this");
	v->format->pb = v->io;
	v->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
	return LP_OK;
}

static enum lp_code open_stream(struct lp_video *v, struct lp_err *e)
{
	int why = avcodec_parameters_from_context(v->stream->codecpar, v->codec);

	v->stream->time_base = v->codec->time_base;
	v->stream->avg_frame_rate = v->codec->framerate;
	if (why >= 0)
		why = av_opt_set_int(v->format->priv_data, "moov_size", INDEX_FIXED + INDEX_FRAME * v->want.frames, 0);
	if (why >= 0)
		why = avformat_write_header(v->format, NULL);
	return why < 0 ? broke(e, "begun", why) : LP_OK;
}

static enum lp_code open_frame(struct lp_video *v, struct lp_err *e)
{
	v->packet = av_packet_alloc();
	v->frame = av_frame_alloc();
	if (!v->packet || !v->frame)
		return lp_fail(e, LP_UNAVAILABLE, "there is no memory for this");
	v->frame->format = v->codec->pix_fmt;
	v->frame->width = v->codec->width;
	v->frame->height = v->codec->height;
	return av_frame_get_buffer(v->frame, 0) < 0 ? lp_fail(e, LP_UNAVAILABLE, "there is no memory for this") : LP_OK;
}

enum lp_code lp_video_open(struct lp_video **out, const struct lp_video_want *want, struct lp_err *e)
{
	struct lp_video *v = lp_mem_zeroed(1, sizeof(*v));
	enum lp_code code;

	v->want = *want;
	code = open_file(v, e);
	if (code == LP_OK)
		code = open_codec(v, e);
	if (code == LP_OK)
		code = open_stream(v, e);
	if (code == LP_OK)
		code = open_frame(v, e);
	if (code != LP_OK)
		lp_video_close(v);
	else
		*out = v;
	return code;
}

/* ---- the frames ---- */

/* Pictures are in full range and, if in YUV, in JPEG's colours; the video is in BT.709's. */
static enum lp_code open_scale(struct lp_video *v, const AVFrame *from, struct lp_err *e)
{
	const int is[3] = { from->width, from->height, from->format };
	const int *jpeg = sws_getCoefficients(SWS_CS_ITU601), *video = sws_getCoefficients(SWS_CS_ITU709);

	if (v->scale && memcmp(is, v->scale_from, sizeof(is)) == 0)
		return LP_OK;
	sws_freeContext(v->scale);
	v->scale = sws_getContext(from->width, from->height, (enum AVPixelFormat)from->format, v->frame->width,
				  v->frame->height, v->codec->pix_fmt, SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
	if (!v->scale)
		return lp_fail(e, LP_INVALID, "a frame's colours are of an unknown kind");
	sws_setColorspaceDetails(v->scale, jpeg, 1, video, 0, 0, 1 << 16, 1 << 16);
	memcpy(v->scale_from, is, sizeof(is));
	return LP_OK;
}

static enum lp_code write_packets(struct lp_video *v, struct lp_err *e)
{
	int why;

	while ((why = avcodec_receive_packet(v->codec, v->packet)) == 0) {
		v->packet->duration = 1;
		av_packet_rescale_ts(v->packet, v->codec->time_base, v->stream->time_base);
		v->packet->stream_index = 0;
		why = av_interleaved_write_frame(v->format, v->packet);
		if (why < 0)
			return broke(e, "written", why);
	}
	return why == AVERROR(EAGAIN) || why == AVERROR_EOF ? LP_OK : broke(e, "encoded", why);
}

static enum lp_code encode(struct lp_video *v, AVFrame *frame, struct lp_err *e)
{
	int why = avcodec_send_frame(v->codec, frame);

	return why < 0 ? broke(e, "encoded", why) : write_packets(v, e);
}

enum lp_code lp_video_add(struct lp_video *v, struct lp_span picture, struct lp_err *e)
{
	AVFrame *from;
	enum lp_code code = lp_picture_decode(&from, picture, e);

	if (code != LP_OK)
		return code;
	code = open_scale(v, from, e);
	if (code == LP_OK && av_frame_make_writable(v->frame) < 0)
		code = lp_fail(e, LP_UNAVAILABLE, "there is no memory for this");
	if (code == LP_OK) {
		sws_scale(v->scale, (const uint8_t *const *)from->data, from->linesize, 0, from->height, v->frame->data,
			  v->frame->linesize);
		v->frame->pts = v->count++;
		code = encode(v, v->frame, e);
	}
	av_frame_free(&from);
	return code;
}

enum lp_code lp_video_finish(struct lp_video *v, struct lp_buf *to, struct lp_err *e)
{
	int why;

	if (encode(v, NULL, e) != LP_OK)
		return e->code;
	why = av_write_trailer(v->format);
	if (why < 0)
		return broke(e, "ended", why);
	avio_flush(v->io);
	if (v->io->error < 0)
		return broke(e, "ended", v->io->error);
	*to = v->file;
	v->file = (struct lp_buf){ 0 };
	return LP_OK;
}

void lp_video_close(struct lp_video *v)
{
	sws_freeContext(v->scale);
	av_frame_free(&v->frame);
	av_packet_free(&v->packet);
	avcodec_free_context(&v->codec);
	avformat_free_context(v->format);
	if (v->io)
		av_freep(&v->io->buffer);
	avio_context_free(&v->io);
	lp_buf_clear(&v->file);
	lp_mem_free(v);
}

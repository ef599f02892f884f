/* media/duration - see the header.
 *
 * The network counts what the container says (ai-http-api 6), so that is the answer; where it says nothing, as
 * the files of browsers' recorders, the packets are walked through.  They are in any case: a file that says one
 * second and holds an hour would be an hour's work for a second's price. */
#include "duration.h"

#include <errno.h>
#include <string.h>

#include <libavformat/avformat.h>

#define WINDOW (64 * 1024)	/* libavformat's own buffer */
#define LIE_TIMES 2		/* a file may hold so many times what it says, */
#define LIE_MORE 10000		/* and so many milliseconds more */
#define LOOK_EVERY 4096		/* packets between two looks at whether the answer is still wanted */

/* Containers of sound.  Left out is what reads other files by name (playlists), what takes any text for its own,
 * and what nobody records with. */
#define CONTAINERS "wav,w64,rf64,mp3,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,aiff,au,caf,amr,amrnb,amrwb," \
	"ac3,eac3,asf,avi,flv,mpegts,mpeg,wv,tta,ape,dsf"

struct source {
	struct lp_span file;
	size_t at;
	AVIOContext *io;
	AVFormatContext *format;	/* NULL after a failed opening */
	int sound;			/* its stream */
	bool (*still_wanted)(void *self);
	void *self;
};

static int read_file(void *opaque, uint8_t *to, int size)
{
	struct source *s = opaque;
	size_t left = s->file.len - s->at, n = (size_t)size < left ? (size_t)size : left;

	if (!n)
		return AVERROR_EOF;
	memcpy(to, s->file.at + s->at, n);
	s->at += n;
	return (int)n;
}

static int64_t seek_file(void *opaque, int64_t offset, int whence)
{
	struct source *s = opaque;
	int64_t size = (int64_t)s->file.len, to = offset;

	if (whence & AVSEEK_SIZE)
		return size;
	whence &= ~AVSEEK_FORCE;
	if (whence == SEEK_CUR)
		to = (int64_t)s->at + offset;
	else if (whence == SEEK_END)
		to = size + offset;
	if (to < 0 || to > size)
		return AVERROR(EINVAL);
	s->at = (size_t)to;
	return to;
}

static int was_interrupted(void *opaque)
{
	struct source *s = opaque;

	return s->still_wanted && !s->still_wanted(s->self);
}

static enum lp_code no_sound(struct lp_err *e, const char *why)
{
	return lp_fail(e, LP_INVALID, "audio: %s", why);
}

static enum lp_code open_source(struct source *s, struct lp_err *e)
{
	s->io = avio_alloc_context(av_malloc(WINDOW), WINDOW, 0, s, read_file, NULL, seek_file);
	s->format = avformat_alloc_context();
	if (!s->io || !s->format)
		return lp_fail(e, LP_UNAVAILABLE, "there is no memory for this");
	s->format->pb = s->io;
	s->format->format_whitelist = av_strdup(CONTAINERS);
	s->format->protocol_whitelist = av_strdup("none");
	s->format->interrupt_callback = (AVIOInterruptCB){ was_interrupted, s };
	if (avformat_open_input(&s->format, NULL, NULL, NULL) < 0)
		return no_sound(e, "this is no recording of a kind that is known here");
	if (avformat_find_stream_info(s->format, NULL) < 0)
		return no_sound(e, "the recording cannot be read");
	s->sound = av_find_best_stream(s->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
	return s->sound < 0 ? no_sound(e, "there is no sound in this file") : LP_OK;
}

static void close_source(struct source *s)
{
	avformat_close_input(&s->format);
	if (s->io)
		av_freep(&s->io->buffer);
	avio_context_free(&s->io);
}

static int64_t in_milliseconds(int64_t time, AVRational base)
{
	return av_rescale_q_rnd(time, base, (AVRational){ 1, 1000 }, AV_ROUND_DOWN | AV_ROUND_PASS_MINMAX);
}

/* Where the last packet of sound ends, counted from where the first begins.  Time that does not go forward, and
 * what a packet adds beyond the time that it has, is not believed. */
static enum lp_code walk(struct source *s, int64_t *milliseconds, struct lp_err *e)
{
	const AVStream *stream = s->format->streams[s->sound];
	AVPacket *packet = av_packet_alloc();
	int64_t first = AV_NOPTS_VALUE, end = AV_NOPTS_VALUE, count = 0;

	while (packet && av_read_frame(s->format, packet) >= 0) {
		int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;

		if (packet->stream_index == s->sound && time != AV_NOPTS_VALUE) {
			if (first == AV_NOPTS_VALUE)
				first = time;
			time = av_sat_add64(time, packet->duration > 0 ? packet->duration : 0);
			if (end == AV_NOPTS_VALUE || time > end)
				end = time;
		}
		av_packet_unref(packet);
		if (++count % LOOK_EVERY == 0 && was_interrupted(s))
			break;
	}
	av_packet_free(&packet);
	if (was_interrupted(s))
		return lp_fail(e, LP_GONE, "nobody waits for the answer any more");
	*milliseconds = first == AV_NOPTS_VALUE ? 0 : in_milliseconds(av_sat_sub64(end, first), stream->time_base);
	return LP_OK;
}

static enum lp_code measure(struct source *s, int64_t *milliseconds, struct lp_err *e)
{
	bool guessed = s->format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE;
	int64_t said = 0, held = 0;

	if (s->format->duration != AV_NOPTS_VALUE && s->format->duration > 0)
		said = s->format->duration / (AV_TIME_BASE / 1000);
	if (walk(s, &held, e) != LP_OK)
		return e->code;
	*milliseconds = said ? said : held;
	if (!said || held <= LIE_TIMES * said + LIE_MORE)
		return LP_OK;
	if (!guessed)
		return no_sound(e, "the recording is far longer than its head says");
	*milliseconds = held;
	return LP_OK;
}

enum lp_code lp_duration_of(int64_t *milliseconds, struct lp_span file, bool (*still_wanted)(void *self), void *self,
			    struct lp_err *e)
{
	struct source s = { .file = file, .still_wanted = still_wanted, .self = self };
	enum lp_code code = open_source(&s, e);

	if (code == LP_OK)
		code = measure(&s, milliseconds, e);
	close_source(&s);
	return code;
}

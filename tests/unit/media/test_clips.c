/* Durations and videos, of files that the test makes: whole, cut short, and lying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "duration.h"
#include "video.h"

static void put(struct lp_buf *to, uint32_t n, int bytes)
{
	for (int i = 0; i < bytes; i++)
		lp_buf_add_char(to, (char)(n >> 8 * i));
}

/* `says` is what its head says that the data has; `has` what follows. */
static void make_wav(struct lp_buf *to, uint32_t says, uint32_t has)
{
	lp_buf_add_text(to, "RIFF");
	put(to, says + 36, 4);
	lp_buf_add_text(to, "WAVEfmt ");
	put(to, 16, 4);
	put(to, 1, 2);		/* samples as they are, */
	put(to, 1, 2);		/* one channel, */
	put(to, 8000, 4);	/* so many a second, */
	put(to, 8000, 4);	/* as many bytes, */
	put(to, 1, 2);
	put(to, 8, 2);		/* of eight bits */
	lp_buf_add_text(to, "data");
	put(to, says, 4);
	memset(lp_buf_room(to, has), 0x80, has);
	lp_buf_grew(to, has);
}

static void a_recordings_length_is_measured(void **state)
{
	static const uint32_t samples[] = { 800, 8000, 101600 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct lp_buf wav = { 0 };
		struct lp_err e;
		int64_t got = 0;

		make_wav(&wav, samples[i], samples[i]);
		assert_int_equal(lp_duration_of(&got, lp_buf_span(&wav), NULL, NULL, &e), LP_OK);
		assert_int_equal(got, samples[i] / 8);
		lp_buf_clear(&wav);
	}
}

/* Every prefix: no answer, or a refusal in words; what is measured is never more than there is. */
static void a_recording_cut_short_breaks_nothing(void **state)
{
	struct lp_buf wav = { 0 };

	(void)state;
	make_wav(&wav, 16000, 16000);
	for (size_t n = 0; n < wav.len; n += n < 64 ? 1 : 997) {
		struct lp_err e = { .code = LP_OK };
		char *exact = malloc(n + 1);	/* so that the sanitizer sees one byte too many */
		int64_t got = 0;

		memcpy(exact, wav.mem + wav.off, n);
		if (lp_duration_of(&got, lp_span_of(exact, n), NULL, NULL, &e) == LP_OK)
			assert_in_range(got, 0, 2000);
		else
			assert_true(e.code == LP_INVALID && e.words[0]);
		free(exact);
	}
	lp_buf_clear(&wav);
}

static void what_is_no_sound_is_refused(void **state)
{
	static const struct lp_span files[] = {
		LP_SPAN("hello"),
		LP_SPAN("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
		LP_SPAN("ffconcat version 1.0\nfile /etc/passwd\n"),
		LP_SPAN("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\3\0\0\0\2\10\2\0\0\0\x12\x16\xf1"),
		LP_SPAN("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct lp_err e;
		int64_t got;

		assert_int_equal(lp_duration_of(&got, files[i], NULL, NULL, &e), LP_INVALID);
		assert_int_equal(strncmp(e.words, "audio: ", 7), 0);
	}
}

static bool nobody_waits(void *self)
{
	(void)self;
	return false;
}

static void work_that_nobody_waits_for_ends(void **state)
{
	struct lp_buf wav = { 0 };
	struct lp_err e;
	int64_t got;

	(void)state;
	make_wav(&wav, 8000, 8000);
	assert_int_not_equal(lp_duration_of(&got, lp_buf_span(&wav), nobody_waits, NULL, &e), LP_OK);
	lp_buf_clear(&wav);
}

/* As a browser records: webm's container, written as it comes, so that its head has no length. */
static void make_live(struct lp_buf *to, int seconds)
{
	AVFormatContext *format = NULL;
	AVPacket *packet = av_packet_alloc();
	AVDictionary *options = NULL;
	AVStream *stream;
	uint8_t *bytes;
	int n;

	assert_true(avformat_alloc_output_context2(&format, NULL, "matroska", NULL) >= 0);
	stream = avformat_new_stream(format, NULL);
	stream->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
	stream->codecpar->codec_id = AV_CODEC_ID_PCM_S16LE;
	stream->codecpar->format = AV_SAMPLE_FMT_S16;
	stream->codecpar->sample_rate = 8000;
	stream->codecpar->bits_per_coded_sample = 16;
	stream->codecpar->ch_layout.nb_channels = 1;
	stream->codecpar->ch_layout.order = AV_CHANNEL_ORDER_UNSPEC;
	stream->time_base = (AVRational){ 1, 8000 };
	av_dict_set(&options, "live", "1", 0);
	assert_int_equal(avio_open_dyn_buf(&format->pb), 0);
	assert_true(avformat_write_header(format, &options) >= 0);
	for (int i = 0; i < seconds * 10; i++) {	/* a tenth of a second each */
		assert_int_equal(av_new_packet(packet, 1600), 0);
		memset(packet->data, 0, 1600);
		packet->pts = packet->dts = av_rescale_q(i * 800, (AVRational){ 1, 8000 }, stream->time_base);
		packet->duration = av_rescale_q(800, (AVRational){ 1, 8000 }, stream->time_base);
		assert_int_equal(av_write_frame(format, packet), 0);
		av_packet_unref(packet);
	}
	av_write_trailer(format);
	n = avio_close_dyn_buf(format->pb, &bytes);
	lp_buf_add(to, bytes, (size_t)n);
	av_free(bytes);
	av_dict_free(&options);
	av_packet_free(&packet);
	avformat_free_context(format);
}

static void a_recording_that_does_not_say_its_length_is_walked_through(void **state)
{
	struct lp_buf live = { 0 };
	struct lp_err e;
	int64_t got = 0;

	(void)state;
	make_live(&live, 7);
	assert_int_equal(lp_duration_of(&got, lp_buf_span(&live), NULL, NULL, &e), LP_OK);
	assert_in_range(got, 6800, 7100);
	lp_buf_clear(&live);
}

/* ---- video ---- */

static void make_picture(struct lp_buf *to, enum AVCodecID id, int width, int height)
{
	const AVCodec *encoder = avcodec_find_encoder(id);
	AVCodecContext *c = avcodec_alloc_context3(encoder);
	AVFrame *frame = av_frame_alloc();
	AVPacket *packet = av_packet_alloc();

	c->width = frame->width = width;
	c->height = frame->height = height;
	c->pix_fmt = id == AV_CODEC_ID_PNG ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUVJ420P;
	c->time_base = (AVRational){ 1, 1 };
	frame->format = c->pix_fmt;
	assert_int_equal(avcodec_open2(c, encoder, NULL), 0);
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	for (int i = 0; i < 3 && frame->data[i]; i++)
		memset(frame->data[i], 0x60 + 0x10 * i, (size_t)frame->linesize[i] * (size_t)(i ? height / 2 : height));
	assert_int_equal(avcodec_send_frame(c, frame), 0);
	assert_int_equal(avcodec_receive_packet(c, packet), 0);
	lp_buf_add(to, packet->data, (size_t)packet->size);
	av_packet_free(&packet);
	av_frame_free(&frame);
	avcodec_free_context(&c);
}

static void need_encoder(void)
{
	if (!lp_video_encoder())
		skip();
}

/* PNG and JPEG, large and small, odd sides: all become frames of one size. */
static void pictures_become_a_video(void **state)
{
	const struct lp_video_want want = { 6, 7, 321, 200 };
	struct lp_video *video;
	struct lp_buf file = { 0 };
	struct lp_err e;

	(void)state;
	need_encoder();
	assert_int_equal(lp_video_open(&video, &want, &e), LP_OK);
	for (int i = 0; i < 6; i++) {
		struct lp_buf picture = { 0 };

		make_picture(&picture, i % 2 ? AV_CODEC_ID_MJPEG : AV_CODEC_ID_PNG, 64 + 32 * i, 48);
		assert_int_equal(lp_video_add(video, lp_buf_span(&picture), &e), LP_OK);
		lp_buf_clear(&picture);
	}
	assert_int_equal(lp_video_finish(video, &file, &e), LP_OK);
	assert_true(file.len > 1000);
	assert_memory_equal(file.mem + file.off + 4, "ftyp", 4);
	/* its index stands in front of its data */
	ptrdiff_t index = lp_span_find(lp_buf_span(&file), LP_SPAN("moov"));
	ptrdiff_t data = lp_span_find(lp_buf_span(&file), LP_SPAN("mdat"));
	assert_true(index > 0 && data > index);
	lp_buf_clear(&file);
	lp_video_close(video);
}

static void what_is_no_picture_is_refused(void **state)
{
	static const struct lp_span pictures[] = {
		LP_SPAN("no picture"),
		LP_SPAN("\x89PNG\r\n\x1a\n"),
		/* 2^31 - 1 pixels a side */
		LP_SPAN("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\10\2\0\0\0\x12\x16\xf1\x4d"),
		LP_SPAN("\xff\xd8\xff\xe0\0\x10JFIF\0"),
		LP_SPAN("GIF89a\1\0\1\0\0\0\0;"),
	};
	const struct lp_video_want want = { 2, 6, 64, 64 };
	struct lp_video *video;
	struct lp_err e;

	(void)state;
	need_encoder();
	assert_int_equal(lp_video_open(&video, &want, &e), LP_OK);
	for (size_t i = 0; i < sizeof(pictures) / sizeof(*pictures); i++)
		assert_int_equal(lp_video_add(video, pictures[i], &e), LP_INVALID);
	lp_video_close(video);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recordings_length_is_measured),
		cmocka_unit_test(a_recording_that_does_not_say_its_length_is_walked_through),
		cmocka_unit_test(a_recording_cut_short_breaks_nothing),
		cmocka_unit_test(what_is_no_sound_is_refused),
		cmocka_unit_test(work_that_nobody_waits_for_ends),
		cmocka_unit_test(pictures_become_a_video),
		cmocka_unit_test(what_is_no_picture_is_refused),
	};

	av_log_set_level(AV_LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

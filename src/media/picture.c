#include "picture.h"

#include <limits.h>
#include <string.h>

#include <libavcodec/avcodec.h>

static const AVCodec *decoder_of(struct lp_span picture)
{
	if (lp_span_starts(picture, "\x89PNG\r\n\x1a\n"))
		return avcodec_find_decoder(AV_CODEC_ID_PNG);
	if (lp_span_starts(picture, "\xff\xd8\xff"))
		return avcodec_find_decoder(AV_CODEC_ID_MJPEG);
	return NULL;
}

/* The decoder reads a little beyond the end, so the bytes are copied to where there is room for that. */
static bool send(AVCodecContext *codec, struct lp_span picture)
{
	AVPacket *packet = av_packet_alloc();
	bool taken = false;

	if (packet && av_new_packet(packet, (int)picture.len) == 0) {
		memcpy(packet->data, picture.at, picture.len);
		taken = avcodec_send_packet(codec, packet) == 0 && avcodec_send_packet(codec, NULL) == 0;
	}
	av_packet_free(&packet);
	return taken;
}

static bool decode(AVCodecContext *codec, AVFrame *frame, struct lp_span picture)
{
	return send(codec, picture) && avcodec_receive_frame(codec, frame) == 0 && frame->width > 0 && frame->height > 0;
}

enum lp_code lp_picture_decode(AVFrame **out, struct lp_span picture, struct lp_err *e)
{
	const AVCodec *decoder = decoder_of(picture);
	AVCodecContext *codec = decoder && picture.len < INT_MAX / 2 ? avcodec_alloc_context3(decoder) : NULL;
	AVFrame *frame = codec ? av_frame_alloc() : NULL;
	bool well = false;

	if (frame) {
		codec->max_pixels = LP_PICTURE_PIXELS;
		codec->thread_count = 1;
		codec->err_recognition = AV_EF_EXPLODE;
		well = avcodec_open2(codec, decoder, NULL) == 0 && decode(codec, frame, picture);
	}
	avcodec_free_context(&codec);
	if (well) {
		*out = frame;
		return LP_OK;
	}
	av_frame_free(&frame);
	return lp_fail(e, LP_INVALID, "a frame is no PNG or JPEG that can be read");
}

#include "wav.h"

static void add_u16(struct lp_buf *to, unsigned v)
{
	lp_buf_add_char(to, (char)(v & 255));
	lp_buf_add_char(to, (char)(v >> 8 & 255));
}

static void add_u32(struct lp_buf *to, uint32_t v)
{
	add_u16(to, v & 0xffff);
	add_u16(to, v >> 16);
}

void lp_wav_write(struct lp_buf *to, const struct lp_sound *sound)
{
	uint32_t bytes = (uint32_t)sound->n * 2, rate = (uint32_t)sound->rate;

	lp_buf_add_text(to, "RIFF");
	add_u32(to, 36 + bytes);
	lp_buf_add_text(to, "WAVEfmt ");
	add_u32(to, 16);
	add_u16(to, 1);		/* PCM */
	add_u16(to, 1);		/* channels */
	add_u32(to, rate);
	add_u32(to, rate * 2);
	add_u16(to, 2);		/* bytes of a frame */
	add_u16(to, 16);	/* bits of a sample */
	lp_buf_add_text(to, "data");
	add_u32(to, bytes);
	for (size_t i = 0; i < sound->n; i++)
		add_u16(to, (uint16_t)sound->at[i]);
}

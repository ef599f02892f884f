/* runner/sound/lpd_sound - recordings of every kind that libav* reads, as samples: a shared object of its own beside
 * lpd-runner, which loads it when it is there and so runs without libav*.
 *
 * Knows nothing of lpd; what it gives is freed by free(). */
#ifndef LPD_RUNNER_SOUND_LPD_SOUND_H
#define LPD_RUNNER_SOUND_LPD_SOUND_H

#include <stddef.h>

struct lpd_sound_want {
	const unsigned char *file;
	size_t size;
	int seconds;				/* longer ones are cut off there: ask for one more than is taken */
	int (*stopped)(const void *self);
	const void *self;
};

struct lpd_sound {
	float *samples;				/* one channel, -1..1 */
	size_t n;
	int rate;
};

enum lpd_sound_result { LPD_SOUND_READ, LPD_SOUND_UNKNOWN, LPD_SOUND_STOPPED };

#define LPD_SOUND_ENTRY "lpd_sound_read_1"	/* the number changes with the structs above */

enum lpd_sound_result lpd_sound_read_1(const struct lpd_sound_want *want, struct lpd_sound *out);

#endif

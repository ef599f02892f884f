/* sim/sim_media - lpd-media, as the nodes' child that does what the test says. */
#ifndef SIM_MEDIA_H
#define SIM_MEDIA_H

#include "sim.h"

#define SIM_MEDIA_CHILDREN 8

struct sim_media {
	struct sim *s;
	struct sim_does does;		/* whatever is asked of any of them */
	bool barren;			/* none can be started */
	bool deaf;			/* those that are started do not listen */
	int started;
	struct sim_media_child {
		struct lp_process *process;
		struct sim_runner *runner;
	} children[SIM_MEDIA_CHILDREN];
};

/* From now on each node that is made with SIM_MEDIA among its options finds one. */
#define SIM_MEDIA "-mediaPath=/bin/true"
struct sim_media *sim_media(struct sim *s);
/* The processes end, as by a file that breaks them. */
void sim_media_die(struct sim_media *m);

/* An orchestrator with audio-to-text and image-to-video beside the usual. */
struct sim_node *sim_clip_orchestrator(struct sim *s, const char *name);
struct sim_reply *sim_ask_recording(struct sim *s, size_t bytes);
struct sim_reply *sim_ask_video(struct sim *s);

#endif

/* role/linger - see the header. */
#include "linger.h"

#define FETCH_TIME LP_SEC	/* for what was made last */
#define LOOK (50 * LP_MSEC)

static void look(void *self)
{
	struct lp_linger *l = self;

	if (*l->jobs > 0 || (l->last_link && lp_mono(l->loop) - l->last_link < FETCH_TIME))
		lp_timer_set(&l->look, l->loop, LOOK);
	else
		lp_server_drain(l->server);
}

void lp_linger_begin(struct lp_linger *l, struct lp_loop *loop, struct lp_server *server, const int *jobs)
{
	l->look = (struct lp_timer){ .fire = look, .self = l };
	l->loop = loop;
	l->server = server;
	l->jobs = jobs;
	look(l);
}

void lp_linger_stop(struct lp_linger *l)
{
	lp_timer_clear(&l->look);
}

bool lp_linger_waits(const struct lp_linger *l)
{
	return lp_timer_is_set(&l->look);
}

/* front/collect_priv - what collect.c and inline.c share. */
#ifndef LPD_FRONT_COLLECT_PRIV_H
#define LPD_FRONT_COLLECT_PRIV_H

#include <lpd/front/collect.h>
#include <lpd/market/answer.h>

struct collect_item {		/* one medium of the answer */
	struct lp_span url;	/* where it is to be fetched; at == NULL: it came as a data URL */
	struct lp_span type;
	struct lp_span path;	/* "/stream/..." when kept, or the URL passed on */
	struct lp_spool *spool;	/* NULL: not begun, or passed on */
	struct lp_scope *fetch;	/* of the fetch under way */
	struct lp_call *call;
	int64_t size;
	bool ended, passed_on;
	bool again;		/* the fetch was started anew */
};

struct lp_collect {
	struct lp_collect_want want;
	struct lp_scope *scope;
	struct lp_answer *answer;
	struct lp_ready pump;
	void (*on_event)(void *self);
	void *self;
	struct lp_err err;
	struct collect_item *items[LP_ANSWER_MEDIA_MAX];
	int n, fetching;
	bool scanned, done;
};

#endif

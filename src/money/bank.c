/* money/bank - see the header.
 *
 * One question is out at a time, for a chain is asked by one at a time; the others stand in a row. */
#include <lpd/money/bank.h>

#include <stdio.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>
#include <lpd/io/timer.h>

/* The chain, for as long as anybody may be asking it. */
struct source {
	struct lp_chain chain;
	struct lp_scope *owner;
	int refs;
};

enum about { CLOCK, PAYER, REDEMPTION };

struct question {
	struct lp_scope *scope;		/* its memory */
	struct lp_link link;		/* in the row, until it is out */
	struct lp_bank *bank;
	struct source *source;
	enum about about;
	struct lp_bank_who who;
	struct lp_bank_redeem redeem;
	struct wish *wish;		/* of a redemption; NULL: nobody waits for it any more */

	enum lp_code code;
	struct lp_err err;
	struct lp_chain_clock clock;
	struct lp_chain_sender sender;
	struct lp_redeemed became;
};

/* Who waits for a redemption: in the asker's scope. */
struct wish {
	struct question *question;
};

struct payer {
	struct lp_link use;		/* the one not asked for longest first */
	struct lp_bank_who who;
	struct lp_list waiters;
	bool have, asking, again;	/* an answer; a question in the row or out; which will be old when it comes */
	int64_t at;			/* mono, of the answer */
	struct lp_bank_sender answer;
	char words[96];			/* of answer.unknown */
};

struct waiter {
	struct lp_link link;
	void (*known)(void *self);
	void *self;
};

struct watcher {
	struct lp_link link;
	void (*tick)(void *self);
	void *self;
};

struct lp_bank {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct lp_log *log;
	struct source *source;
	int64_t clock_every, payers_every;
	struct lp_chain_clock clock;
	struct lp_err trouble;
	struct lp_timer timer;
	struct lp_list watchers, row, uses;
	struct lp_map *payers;		/* who -> struct payer */
	bool out, asking_clock;
	struct lp_bank_sender full;
};

/* ---- the source, questions ---- */

static void source_unref(struct source *source)
{
	if (--source->refs > 0)
		return;
	struct lp_scope *owner = source->owner;

	lp_mem_free(source);
	lp_scope_close(&owner);
}

static void ask_chain(void *arg)
{
	struct question *q = arg;
	const struct lp_chain *chain = &q->source->chain;

	switch (q->about) {
	case CLOCK:
		q->code = chain->ops->clock(chain->self, &q->clock, &q->err);
		break;
	case PAYER:
		q->code = chain->ops->sender(chain->self, &q->sender, q->who.sender, q->who.claimant, &q->err);
		break;
	case REDEMPTION:
		q->code = chain->ops->redeem(chain->self, &q->became, &q->redeem.what, &q->err);
		break;
	}
	q->err.code = q->code;
}

static void question_free(void *arg)
{
	struct question *q = arg;
	struct source *source = q->source;
	struct lp_scope *scope = q->scope;

	if (q->wish)
		q->wish->question = NULL;
	lp_scope_close(&scope);
	source_unref(source);
}

static struct question *question_new(struct lp_bank *bank, enum about about)
{
	struct lp_scope *scope = lp_scope_open(NULL, "question");
	struct question *q = lp_new(scope, struct question);

	q->scope = scope;
	q->bank = bank;
	q->about = about;
	q->source = bank->source;
	bank->source->refs++;
	return q;
}

static void on_answer(void *self, void *arg);

static void send_next(struct lp_bank *bank)
{
	struct lp_link *first = lp_list_first(&bank->row);

	if (bank->out || !first)
		return;
	struct question *q = LP_CONTAINER(first, struct question, link);

	lp_link_out(&q->link);
	bank->out = true;
	lp_pool_run(bank->scope, bank->loop, &(struct lp_work){ ask_chain, on_answer, question_free, q, bank });
}

static void stand(struct lp_bank *bank, struct question *q)
{
	lp_list_add(&bank->row, &q->link);
	send_next(bank);
}

/* ---- the clock ---- */

static void ask_clock(void *self)
{
	struct lp_bank *bank = self;

	lp_timer_set(&bank->timer, bank->loop, bank->clock_every);
	if (bank->asking_clock)
		return;
	bank->asking_clock = true;
	stand(bank, question_new(bank, CLOCK));
}

static void take_clock(struct lp_bank *bank, const struct question *q)
{
	bank->asking_clock = false;
	if (q->code != LP_OK) {
		if (bank->trouble.code == LP_OK)
			lp_log_kv(bank->log, LP_UNUSUAL, "the chain does not answer", "why", lp_err_words(&q->err), NULL);
		bank->trouble = q->err;
		return;
	}
	if (bank->trouble.code != LP_OK)
		lp_log_kv(bank->log, LP_INFO, "the chain answers again", NULL);
	bank->trouble = (struct lp_err){ 0 };
	bank->clock = q->clock;
	lp_list_each(&bank->watchers, w, struct watcher, link)
		w->tick(w->self);
}

const struct lp_chain_clock *lp_bank_clock(const struct lp_bank *bank)
{
	return &bank->clock;
}

const struct lp_err *lp_bank_trouble(const struct lp_bank *bank)
{
	return bank->trouble.code == LP_OK ? NULL : &bank->trouble;
}

static void watcher_out(void *arg)
{
	struct watcher *w = arg;

	lp_link_out(&w->link);
}

void lp_bank_watch(struct lp_scope *scope, struct lp_bank *bank, void (*tick)(void *self), void *self)
{
	struct watcher *w = lp_new(scope, struct watcher);

	*w = (struct watcher){ .tick = tick, .self = self };
	lp_list_add(&bank->watchers, &w->link);
	lp_defer(scope, watcher_out, w);
}

/* ---- payers ---- */

static struct lp_span key_of(const struct lp_bank_who *who)
{
	return lp_span_of(who, sizeof(*who));	/* two addresses: bytes and nothing between them */
}

_Static_assert(sizeof(struct lp_bank_who) == 40, "a key without holes");

static void payer_free(void *value)
{
	struct payer *p = value;

	lp_list_each(&p->waiters, w, struct waiter, link)
		lp_link_out(&w->link);
	lp_link_out(&p->use);
	lp_mem_free(p);
}

/* Room for one more: nobody's is forgotten while somebody waits for it. */
static bool make_room(struct lp_bank *bank)
{
	if (lp_map_count(bank->payers) < LP_BANK_PAYERS)
		return true;
	lp_list_each(&bank->uses, p, struct payer, use) {
		if (p->asking)
			continue;
		lp_map_take(bank->payers, key_of(&p->who));
		payer_free(p);
		return true;
	}
	return false;
}

static struct payer *payer_of(struct lp_bank *bank, const struct lp_bank_who *who)
{
	struct payer *p = lp_map_find(bank->payers, key_of(who));

	if (p) {
		lp_link_out(&p->use);
	} else {
		if (!make_room(bank))
			return NULL;
		p = lp_mem_zeroed(1, sizeof(*p));
		p->who = *who;
		lp_list_init(&p->waiters);
		lp_map_put(bank->payers, key_of(who), p);
	}
	lp_list_add(&bank->uses, &p->use);
	return p;
}

static void ask_payer(struct lp_bank *bank, struct payer *p)
{
	struct question *q;

	if (p->asking)
		return;
	p->asking = true;
	p->again = false;
	q = question_new(bank, PAYER);
	q->who = p->who;
	stand(bank, q);
}

/* Without an answer the last one stays, and when there is none, that there is none is the answer for a while. */
static void take_payer(struct lp_bank *bank, const struct question *q)
{
	struct payer *p = lp_map_find(bank->payers, key_of(&q->who));

	lp_assert(p && p->asking);
	p->asking = false;
	p->at = lp_mono(bank->loop);
	if (q->code == LP_OK) {
		p->answer = (struct lp_bank_sender){ NULL, q->sender };
	} else if (!p->have || p->answer.unknown) {
		snprintf(p->words, sizeof(p->words), "%s", lp_err_words(&q->err));
		p->answer.unknown = p->words;
	}
	p->have = true;
	if (p->again)
		ask_payer(bank, p);
	while (!lp_list_empty(&p->waiters)) {
		struct waiter *w = LP_CONTAINER(lp_list_first(&p->waiters), struct waiter, link);

		lp_link_out(&w->link);
		w->known(w->self);
	}
}

static void waiter_out(void *arg)
{
	struct waiter *w = arg;

	lp_link_out(&w->link);
}

const struct lp_bank_sender *lp_bank_sender(struct lp_scope *scope, struct lp_bank *bank, const struct lp_bank_who *who,
					    void (*known)(void *self), void *self)
{
	struct payer *p = payer_of(bank, who);
	struct waiter *w;

	if (!p)
		return &bank->full;
	if (!p->have || lp_mono(bank->loop) - p->at > bank->payers_every)
		ask_payer(bank, p);
	if (p->have)
		return &p->answer;
	if (!known)
		return NULL;
	w = lp_new(scope, struct waiter);
	*w = (struct waiter){ .known = known, .self = self };
	lp_list_add(&p->waiters, &w->link);
	lp_defer(scope, waiter_out, w);
	return NULL;
}

/* For every claimant.  An answer that is under way may be from before. */
void lp_bank_forget(struct lp_bank *bank, struct lp_address sender)
{
	lp_list_each(&bank->uses, p, struct payer, use) {
		if (!lp_address_eq(p->who.sender, sender))
			continue;
		if (p->asking)
			p->again = true;
		else
			ask_payer(bank, p);
	}
}

/* ---- redemptions ---- */

static void wish_out(void *arg)
{
	struct wish *wish = arg;

	if (wish->question)
		wish->question->wish = NULL;
}

void lp_bank_redeem(struct lp_scope *scope, struct lp_bank *bank, const struct lp_bank_redeem *redeem)
{
	struct question *q = question_new(bank, REDEMPTION);

	q->redeem = *redeem;
	q->wish = lp_new(scope, struct wish);
	q->wish->question = q;
	lp_defer(scope, wish_out, q->wish);
	stand(bank, q);
}

static void tell_redeemed(struct question *q)
{
	if (!q->wish)
		return;
	q->wish->question = NULL;
	q->wish = NULL;
	q->redeem.done(q->redeem.self, &q->redeem.what, &q->became, &q->err);
}

static void on_answer(void *self, void *arg)
{
	struct lp_bank *bank = self;
	struct question *q = arg;

	bank->out = false;
	send_next(bank);
	switch (q->about) {
	case CLOCK:
		take_clock(bank, q);
		break;
	case PAYER:
		take_payer(bank, q);
		break;
	case REDEMPTION:
		tell_redeemed(q);
		break;
	}
}

/* ---- the bank ---- */

static void bank_close(void *arg)
{
	struct lp_bank *bank = arg;

	lp_timer_clear(&bank->timer);
	lp_list_each(&bank->row, q, struct question, link)
		question_free(q);
	lp_map_free_all(&bank->payers, payer_free);
	lp_list_each(&bank->watchers, w, struct watcher, link)
		lp_link_out(&w->link);
	source_unref(bank->source);
}

enum lp_code lp_bank_open(struct lp_scope *scope, struct lp_bank **out, const struct lp_bank_want *want,
			  struct lp_err *e)
{
	struct lp_bank *bank = lp_new(scope, struct lp_bank);

	bank->scope = scope;
	bank->loop = want->loop;
	bank->log = want->log;
	bank->clock_every = want->clock_every;
	bank->payers_every = want->payers_every;
	bank->full.unknown = "too many payers are being looked up";
	bank->timer.fire = ask_clock;
	bank->timer.self = bank;
	bank->payers = lp_map_new();
	lp_list_init(&bank->watchers);
	lp_list_init(&bank->row);
	lp_list_init(&bank->uses);
	bank->source = lp_mem_zeroed(1, sizeof(*bank->source));
	*bank->source = (struct source){ want->chain, want->owner, 1 };
	lp_defer(scope, bank_close, bank);
	if (want->chain.ops->clock(want->chain.self, &bank->clock, e) != LP_OK)
		return e->code;
	lp_timer_set(&bank->timer, bank->loop, bank->clock_every);
	*out = bank;
	return LP_OK;
}

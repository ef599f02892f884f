#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>
#include <lpd/io/reach.h>

#include "resolve.h"

#define KEPT (60 * LP_SEC)
#define KEPT_FAILURE LP_SEC	/* so that a burst of calls to a bad name is one question */
#define RUNNING_MAX 4
#define NAMES_MAX 1000
#define HOST_MAX 255

struct name {
	struct lp_resolver *resolver;
	struct lp_list asks;
	struct lp_link queue;		/* waiting for a thread */
	bool running;
	int64_t known_at;		/* 0: never, or forgotten */
	const char *words;		/* why it is not known; of static life */
	struct lp_addrs addrs;
	char host[HOST_MAX + 1];
};

struct lp_resolver {
	struct lp_loop *loop;
	struct lp_scope *scope;
	struct lp_map *names;
	struct lp_list queue;
	int running;
	int64_t kept;
};

/* What a thread works on: nothing else is shared with it. */
struct question {
	char host[HOST_MAX + 1];
	int error;
	struct lp_addrs addrs;
};

bool lp_addr_of_literal(struct lp_addr *to, struct lp_span host)
{
	char text[INET6_ADDRSTRLEN + 1];

	memset(to, 0, sizeof(*to));
	if (!lp_span_copy(text, sizeof(text), host))
		return false;
	if (inet_pton(AF_INET, text, &to->sock.in.sin_addr) == 1) {
		to->sock.in.sin_family = AF_INET;
		to->len = sizeof(to->sock.in);
		return true;
	}
	if (inet_pton(AF_INET6, text, &to->sock.in6.sin6_addr) == 1) {
		to->sock.in6.sin6_family = AF_INET6;
		to->len = sizeof(to->sock.in6);
		return true;
	}
	return false;
}

bool lp_addrs_outside(const struct lp_addrs *addrs)
{
	for (int i = 0; i < addrs->n; i++) {
		const struct lp_addr *a = &addrs->at[i];
		enum lp_reach reach = a->sock.any.sa_family == AF_INET ?
			lp_reach_of_bytes(&a->sock.in.sin_addr, 4) : lp_reach_of_bytes(&a->sock.in6.sin6_addr, 16);

		if (reach != LP_REACH_PUBLIC)
			return false;
	}
	return true;
}

/* ---- in a thread ---- */

static bool take_next(struct lp_addrs *to, const struct addrinfo **from, int family)
{
	for (; *from; *from = (*from)->ai_next) {
		if ((*from)->ai_family != family || (*from)->ai_addrlen > sizeof(to->at[0].sock))
			continue;
		memcpy(&to->at[to->n].sock, (*from)->ai_addr, (*from)->ai_addrlen);
		to->at[to->n++].len = (*from)->ai_addrlen;
		*from = (*from)->ai_next;
		return true;
	}
	return false;
}

static void take_turns(struct lp_addrs *to, const struct addrinfo *list)
{
	int first = list->ai_family == AF_INET ? AF_INET : AF_INET6;
	const struct addrinfo *a = list, *b = list;
	bool more = true;

	to->n = 0;
	while (more && to->n < LP_ADDRS_MAX) {
		more = take_next(to, &a, first);
		if (to->n < LP_ADDRS_MAX)
			more |= take_next(to, &b, first == AF_INET ? AF_INET6 : AF_INET);
	}
}

static void look_up(void *arg)
{
	struct question *q = arg;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	q->error = getaddrinfo(q->host, NULL, &hints, &list);
	if (q->error || !list)
		return;
	take_turns(&q->addrs, list);
	freeaddrinfo(list);
}

/* ---- on the loop ---- */

static void run_queue(struct lp_resolver *resolver);

static void answered(void *self, void *arg)
{
	struct name *name = self;
	struct lp_resolver *resolver = name->resolver;
	const struct question *q = arg;
	struct lp_list asks;

	name->running = false;
	name->known_at = lp_mono(resolver->loop);
	name->addrs = q->addrs;
	name->words = NULL;
	if (q->error || !q->addrs.n)
		name->words = q->error ? gai_strerror(q->error) : "the name has no address";
	resolver->running--;
	run_queue(resolver);
	/* An asker may ask again at once: walk those that were there. */
	lp_list_init(&asks);
	while (!lp_list_empty(&name->asks)) {
		struct lp_link *link = lp_list_first(&name->asks);
		lp_link_out(link);
		lp_list_add(&asks, link);
	}
	while (!lp_list_empty(&asks)) {
		struct lp_ask *ask = LP_CONTAINER(lp_list_first(&asks), struct lp_ask, link);
		lp_link_out(&ask->link);
		ask->done(ask->self);
	}
}

static void run_queue(struct lp_resolver *resolver)
{
	while (resolver->running < RUNNING_MAX && !lp_list_empty(&resolver->queue)) {
		struct name *name = LP_CONTAINER(lp_list_first(&resolver->queue), struct name, queue);
		struct question *q = lp_mem_zeroed(1, sizeof(*q));

		lp_link_out(&name->queue);
		name->running = true;
		resolver->running++;
		memcpy(q->host, name->host, sizeof(q->host));
		struct lp_work work = { look_up, answered, lp_mem_free, q, name };
		lp_pool_run(resolver->scope, resolver->loop, &work);
	}
}

static bool idle(const struct name *name)
{
	return !name->running && !lp_link_in(&name->queue) && lp_list_empty(&name->asks);
}

static void drop_old(struct lp_resolver *resolver)
{
	int64_t now = lp_mono(resolver->loop);
	struct lp_span key;
	size_t at = 0;
	void *value;

	while (lp_map_next(resolver->names, &at, &key, &value)) {
		struct name *name = value;
		if (!idle(name) || now - name->known_at < resolver->kept)
			continue;
		lp_map_take(resolver->names, lp_span(name->host));
		lp_mem_free(name);
	}
}

static struct name *name_get(struct lp_resolver *resolver, struct lp_span host)
{
	struct name *name = lp_map_find(resolver->names, host);

	if (name)
		return name;
	if (lp_map_count(resolver->names) >= NAMES_MAX)
		drop_old(resolver);
	name = lp_mem_zeroed(1, sizeof(*name));
	name->resolver = resolver;
	lp_list_init(&name->asks);
	lp_assert(lp_span_copy(name->host, sizeof(name->host), host));
	lp_map_put(resolver->names, host, name);
	return name;
}

const struct lp_addrs *lp_resolver_find(struct lp_resolver *resolver, struct lp_span host, const char **words)
{
	struct name *name = lp_map_find(resolver->names, host);

	*words = NULL;
	if (host.len > HOST_MAX || !host.len) {
		*words = "no such name";
		return NULL;
	}
	if (!name || !name->known_at)
		return NULL;
	if (lp_mono(resolver->loop) - name->known_at >= (name->words ? KEPT_FAILURE : resolver->kept))
		return NULL;
	*words = name->words;
	return name->words ? NULL : &name->addrs;
}

void lp_resolver_ask(struct lp_resolver *resolver, struct lp_span host, struct lp_ask *ask)
{
	struct name *name = name_get(resolver, host);

	lp_link_out(&ask->link);
	lp_list_add(&name->asks, &ask->link);
	if (name->running || lp_link_in(&name->queue))
		return;
	lp_list_add(&resolver->queue, &name->queue);
	run_queue(resolver);
}

void lp_ask_cancel(struct lp_ask *ask)
{
	lp_link_out(&ask->link);
}

void lp_resolver_forget(struct lp_resolver *resolver, struct lp_span host)
{
	struct name *name = lp_map_find(resolver->names, host);

	if (name)
		name->known_at = 0;
}

static void close_resolver(void *arg)
{
	struct lp_resolver *resolver = arg;
	struct lp_span key;
	size_t at = 0;
	void *name;

	while (lp_map_next(resolver->names, &at, &key, &name))
		lp_mem_free(name);
	lp_map_free(&resolver->names);
}

/* Its own scope: closing it drops the results of look-ups that still run. */
struct lp_resolver *lp_resolver_open(struct lp_scope *scope, struct lp_loop *loop, int64_t kept)
{
	struct lp_scope *own = lp_scope_open(scope, "resolver");
	struct lp_resolver *resolver = lp_new(own, struct lp_resolver);

	resolver->loop = loop;
	resolver->kept = kept ? kept : KEPT;
	resolver->scope = own;
	resolver->names = lp_map_new();
	lp_list_init(&resolver->queue);
	lp_defer(own, close_resolver, resolver);
	return resolver;
}

#include <lpd/base/scope.h>

#include <stdarg.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

/* Under AddressSanitizer every object is an allocation of its own, so that it sees an overrun. */
#if defined(__SANITIZE_ADDRESS__)
#define EACH_ALONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_ALONE 1
#endif
#endif
#ifndef EACH_ALONE
#define EACH_ALONE 0
#endif

enum {
	ALIGN = alignof(max_align_t),
	FIRST_CHUNK = 496,		/* the scope with its first objects: a 512-byte block of the allocator */
	LAST_CHUNK = 16 * 1024 - 16,
	ALONE = 480,			/* objects from here on are not put into chunks */
};

/* What has to happen when the scope closes; newest first in the list.  fn NULL: a child scope, whose own
 * ending this is. */
struct ending {
	struct ending *newer, *older;
	void (*fn)(void *arg);
	void *arg;
};

/* Before every chunk but the first, and every object that stands alone. */
struct block {
	alignas(max_align_t) struct block *next;
};

struct lp_scope {
	struct ending ending;	/* our place in the parent's list; arg is this scope */
	struct lp_scope *parent;
	const char *name;
	struct ending *newest;
	struct ending *spare;	/* taken back by lp_undefer, linked by older */
	struct block *blocks;
	char *at, *end;		/* free room in the present chunk */
	size_t bytes;
};

static size_t aligned(size_t size)
{
	return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static void link_ending(struct lp_scope *scope, struct ending *ending)
{
	ending->newer = NULL;
	ending->older = scope->newest;
	if (scope->newest)
		scope->newest->newer = ending;
	scope->newest = ending;
}

static void unlink_ending(struct lp_scope *scope, struct ending *ending)
{
	if (ending->newer)
		ending->newer->older = ending->older;
	else
		scope->newest = ending->older;
	if (ending->older)
		ending->older->newer = ending->newer;
}

struct lp_scope *lp_scope_open(struct lp_scope *parent, const char *name)
{
	const size_t own = aligned(sizeof(struct lp_scope));
	struct lp_scope *scope = lp_mem_get(EACH_ALONE ? own : FIRST_CHUNK);

	memset(scope, 0, sizeof(*scope));
	scope->name = name;
	scope->parent = parent;
	scope->ending.arg = scope;
	scope->bytes = EACH_ALONE ? own : FIRST_CHUNK;
	scope->at = (char *)scope + own;
	scope->end = (char *)scope + scope->bytes;
	if (parent)
		link_ending(parent, &scope->ending);
	return scope;
}

static void end_now(struct lp_scope *scope)
{
	/* What ends may still allocate, and even defer: the list is read afresh each time. */
	while (scope->newest) {
		struct ending *ending = scope->newest;

		unlink_ending(scope, ending);
		if (ending->fn)
			ending->fn(ending->arg);
		else
			end_now(ending->arg);
	}
	for (struct block *block = scope->blocks, *next; block; block = next) {
		next = block->next;
		lp_mem_free(block);
	}
	lp_mem_free(scope);
}

void lp_scope_close(struct lp_scope **scope)
{
	struct lp_scope *closing = *scope;

	/* First of all, since *scope itself may live in the memory that goes. */
	*scope = NULL;
	if (!closing)
		return;
	if (closing->parent)
		unlink_ending(closing->parent, &closing->ending);
	end_now(closing);
}

static char *add_block(struct lp_scope *scope, size_t size)
{
	lp_assert(size <= SIZE_MAX / 4);
	struct block *block = lp_mem_get(sizeof(*block) + size);

	block->next = scope->blocks;
	scope->blocks = block;
	scope->bytes += sizeof(*block) + size;
	return (char *)(block + 1);
}

/* A third of the whole, so that no more than that is air: many scopes hold little and live long. */
static size_t next_chunk(const struct lp_scope *scope)
{
	size_t size = scope->bytes / 2;

	return size < FIRST_CHUNK ? FIRST_CHUNK : size > LAST_CHUNK ? LAST_CHUNK : aligned(size + 16) - 16;
}

/* Not zeroed. */
static void *take(struct lp_scope *scope, size_t size)
{
	lp_assert(scope);
	if (EACH_ALONE || size >= ALONE)
		return add_block(scope, size);
	size_t need = aligned(size ? size : 1);

	if ((size_t)(scope->end - scope->at) < need) {
		size_t room = next_chunk(scope) - sizeof(struct block);
		scope->at = add_block(scope, room);
		scope->end = scope->at + room;
	}
	void *at = scope->at;
	scope->at += need;
	return at;
}

void *lp_alloc(struct lp_scope *scope, size_t size)
{
	void *at = take(scope, size);

	memset(at, 0, size);
	return at;
}

void *lp_alloc_array(struct lp_scope *scope, size_t size, size_t n)
{
	lp_assert(size == 0 || n <= SIZE_MAX / 4 / size);
	return lp_alloc(scope, size * n);
}

char *lp_strdup(struct lp_scope *scope, struct lp_span text)
{
	lp_assert(text.len < SIZE_MAX / 4);
	char *copy = take(scope, text.len + 1);

	if (text.len > 0)
		memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	return copy;
}

struct lp_span lp_span_dup(struct lp_scope *scope, struct lp_span text)
{
	return (struct lp_span){ lp_strdup(scope, text), text.len };
}

char *lp_fmt(struct lp_scope *scope, const char *fmt, ...)
{
	char small[256];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	lp_assert(n >= 0);
	if ((size_t)n < sizeof(small))
		return lp_strdup(scope, lp_span_of(small, (size_t)n));

	char *text = take(scope, (size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, args);
	va_end(args);
	return text;
}

void lp_defer(struct lp_scope *scope, void (*fn)(void *arg), void *arg)
{
	lp_assert(fn);
	struct ending *ending = scope->spare;

	if (ending)
		scope->spare = ending->older;
	else
		ending = take(scope, sizeof(*ending));
	ending->fn = fn;
	ending->arg = arg;
	link_ending(scope, ending);
}

void lp_undefer(struct lp_scope *scope, void (*fn)(void *arg), void *arg)
{
	struct ending *ending = scope->newest;

	while (ending && (ending->fn != fn || ending->arg != arg))
		ending = ending->older;
	lp_assert(ending && fn);
	unlink_ending(scope, ending);
	ending->older = scope->spare;
	scope->spare = ending;
}

size_t lp_scope_bytes(const struct lp_scope *scope)
{
	size_t sum = scope->bytes;

	for (const struct ending *e = scope->newest; e; e = e->older) {
		if (!e->fn)
			sum += lp_scope_bytes(e->arg);
	}
	return sum;
}

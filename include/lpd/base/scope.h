/* base/scope - memory and clean-up that end together.
 *
 * The tree of scopes is the tree of lifetimes: node > role > connection > exchange, and role > job > try.
 * Out of memory ends the process (lengths that come from a network are bounded before anything is
 * allocated), so nothing here returns NULL. */
#ifndef LPD_BASE_SCOPE_H
#define LPD_BASE_SCOPE_H

#include <stdarg.h>
#include <stddef.h>

#include <lpd/base/str.h>

struct lp_scope;

/* A scope lives inside its parent: closing the parent closes it first.  NULL parent: a root.
 * name is a literal, for reports.  A fresh scope costs one small allocation and grows by chunks. */
struct lp_scope *lp_scope_open(struct lp_scope *parent, const char *name);

/* Run what was deferred and close the children, newest first, then free everything.  Sets *scope to
 * NULL; a NULL *scope is fine. */
void lp_scope_close(struct lp_scope **scope);

/* Zeroed, aligned for anything. */
void *lp_alloc(struct lp_scope *scope, size_t size);
#define lp_new(scope, type) ((type *)lp_alloc((scope), sizeof(type)))
#define lp_new_array(scope, type, n) ((type *)lp_alloc_array((scope), sizeof(type), (n)))
void *lp_alloc_array(struct lp_scope *scope, size_t size, size_t n);	/* asserts against overflow */

/* Copies that live as long as the scope; all end with a zero byte that len does not count. */
char *lp_strdup(struct lp_scope *scope, struct lp_span text);
struct lp_span lp_span_dup(struct lp_scope *scope, struct lp_span text);
char *lp_fmt(struct lp_scope *scope, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* fn(arg) runs when the scope closes. */
void lp_defer(struct lp_scope *scope, void (*fn)(void *arg), void *arg);
/* Take back the newest lp_defer of this pair; asserts that there is one. */
void lp_undefer(struct lp_scope *scope, void (*fn)(void *arg), void *arg);

size_t lp_scope_bytes(const struct lp_scope *scope);	/* held by it and everything below, for tests and metrics */

#endif

/* base/list - rows that know their neighbours: intrusive, doubly linked, headed. */
#ifndef LPD_BASE_LIST_H
#define LPD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct lp_link {
	struct lp_link *next, *prev;	/* both NULL: in no list (if it was zeroed or taken out) */
};

/* The head is a link too: an empty list points at itself. */
struct lp_list {
	struct lp_link head;
};

#define LP_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline void lp_list_init(struct lp_list *list)
{
	list->head.next = list->head.prev = &list->head;
}

static inline bool lp_list_empty(const struct lp_list *list)
{
	return list->head.next == &list->head;
}

static inline bool lp_link_in(const struct lp_link *link)
{
	return link->next != NULL;
}

static inline void lp_list_add(struct lp_list *list, struct lp_link *link)	/* at the end */
{
	link->next = &list->head;
	link->prev = list->head.prev;
	link->prev->next = link;
	list->head.prev = link;
}

static inline void lp_list_add_front(struct lp_list *list, struct lp_link *link)
{
	link->prev = &list->head;
	link->next = list->head.next;
	link->next->prev = link;
	list->head.next = link;
}

static inline void lp_link_add_after(struct lp_link *at, struct lp_link *link)	/* at: in a list, or its head */
{
	link->prev = at;
	link->next = at->next;
	at->next->prev = link;
	at->next = link;
}

static inline void lp_link_out(struct lp_link *link)	/* fine when it is in no list */
{
	if (!link->next)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

static inline struct lp_link *lp_list_first(const struct lp_list *list)	/* NULL when empty */
{
	return lp_list_empty(list) ? NULL : list->head.next;
}

/* `row` may be taken out inside the loop. */
#define lp_list_each(list, row, type, member)                                                                    \
	for (struct lp_link *row##_at = (list)->head.next, *row##_next = row##_at->next;                         \
	     row##_at != &(list)->head; row##_at = row##_next, row##_next = row##_at->next)                      \
		for (type *row = LP_CONTAINER(row##_at, type, member); row; row = NULL)

#endif

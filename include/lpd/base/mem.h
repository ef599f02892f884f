/* base/mem - heap memory for what no scope owns: long-lived tables, buffers, handles of libraries.
 *
 * Never NULL: running out of memory ends the process.  Everything else belongs into a scope. */
#ifndef LPD_BASE_MEM_H
#define LPD_BASE_MEM_H

#include <stddef.h>

void *lp_mem_get(size_t size);			/* not zeroed */
void *lp_mem_zeroed(size_t n, size_t size);	/* n * size bytes; asserts against overflow */
void *lp_mem_grow(void *at, size_t size);	/* as realloc; at may be NULL */
void lp_mem_free(void *at);
void lp_mem_trim(void);				/* give the system back what is free: takes milliseconds for hundreds of MB */

#endif

#include <lpd/base/mem.h>

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include <lpd/base/assert.h>

/* Sizes are bounded before they get here, so running dry means that the machine is out of memory. */
static void *must(void *at)
{
	if (!at)
		lp_assert_failed("there is memory left", __FILE__, __LINE__, __func__);
	return at;
}

void *lp_mem_get(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *lp_mem_zeroed(size_t n, size_t size)
{
	lp_assert(size == 0 || n <= SIZE_MAX / 2 / size);
	size_t bytes = n * size;

	return must(calloc(1, bytes ? bytes : 1));
}

void *lp_mem_grow(void *at, size_t size)
{
	return must(realloc(at, size ? size : 1));
}

void lp_mem_free(void *at)
{
	free(at);
}

void lp_mem_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

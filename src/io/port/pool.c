/* Work for libuv's threads.  An item lives on the heap until its thread is done with it; below its scope it
 * has one of its own that marks it dropped, which is taken out in no time however many others there are. */
#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

#include "loop_priv.h"

struct item {
	uv_work_t uv;
	struct lp_loop *loop;
	struct lp_work work;
	struct lp_scope *scope;		/* below the user's; NULL once that has closed */
};

static void drop(void *arg)
{
	struct item *item = arg;

	item->scope = NULL;
}

static void on_thread(uv_work_t *uv)
{
	struct item *item = uv->data;

	item->work.fn(item->work.arg);
}

static void on_return(uv_work_t *uv, int status)
{
	struct item *item = uv->data;
	const struct lp_work *work = &item->work;
	struct lp_loop *loop = item->loop;

	lp_loop_woke(loop);
	lp_assert(status == 0);		/* nothing cancels: work that was asked for is done */
	bool wanted = item->scope != NULL;
	struct lp_scope *own = item->scope;
	lp_scope_close(&own);
	if (wanted && work->done)
		work->done(work->self, work->arg);
	if (work->free_arg)
		work->free_arg(work->arg);
	lp_mem_free(item);
	lp_loop_served(loop);
}

void lp_pool_run(struct lp_scope *scope, struct lp_loop *loop, const struct lp_work *work)
{
	struct item *item = lp_mem_get(sizeof(*item));

	item->uv.data = item;
	item->loop = loop;
	item->work = *work;
	item->scope = lp_scope_open(scope, "work");
	lp_defer(item->scope, drop, item);
	int failed = uv_queue_work(lp_loop_uv(loop), &item->uv, on_thread, on_return);
	lp_assert(failed == 0);
}

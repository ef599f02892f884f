/* media/job - see the header.
 *
 * Everything that strangers made is read here, after the process has given up all but reading, writing and
 * memory; its time, memory and output are bounded.  Whatever happens to it, it is this one job that fails. */
#include "job.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lpd/base/mem.h>
#include <lpd/io/sandbox.h>

#include <libavutil/log.h>

#include "duration.h"
#include "feed.h"
#include "video.h"

#define MEMORY (UINT64_C(3) << 30)	/* of addresses; a video of the largest size was seen to need 1 GiB */
#define WALL_SECONDS 600		/* for all of it, the sending of the body too */
#define DURATION_SECONDS 30		/* of processor time */
#define VIDEO_SECONDS 480
#define FILE_MAX (INT64_C(64) << 20)	/* of sound: the network's runners take 50 MiB */

/* Enough to read, think and answer: no file, no connection, no process, no thread, no signal can be made. */
static const int allowed[] = {
	SYS_read, SYS_write, SYS_close, SYS_lseek, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk,
	SYS_futex, SYS_ppoll, SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom, SYS_getpid, SYS_gettid,
	SYS_sched_getaffinity, SYS_sched_yield, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_setrlimit, SYS_prlimit64,
	SYS_exit, SYS_exit_group,
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_fstat
	SYS_fstat,
#endif
};

static void give_up_rights(void)
{
	lp_sandbox_follow_parent();
	prctl(PR_SET_DUMPABLE, 0);
	alarm(WALL_SECONDS);		/* whose signal ends us */
	lp_sandbox_limit_memory(MEMORY);
	lp_sandbox_limit(RLIMIT_FSIZE, 0);
	lp_sandbox_limit(RLIMIT_NOFILE, 16);
	lp_sandbox_only(allowed, sizeof(allowed) / sizeof(*allowed));
}

static bool still_wanted(void *self)
{
	return !lp_feed_gone(self);
}

static enum lp_code measure(struct lp_feed *feed, const struct lp_order *order, struct lp_err *e)
{
	struct lp_buf answer = { 0 };
	int64_t milliseconds = 0;
	char *file;

	if (order->length > FILE_MAX)
		return lp_fail(e, LP_TOO_LARGE, "audio: the file is larger than %lld bytes", (long long)FILE_MAX);
	lp_sandbox_limit(RLIMIT_CPU, DURATION_SECONDS);
	file = lp_mem_get((size_t)order->length);
	if (lp_feed_read(feed, file, (size_t)order->length, e) != LP_OK)
		return e->code;
	if (lp_duration_of(&milliseconds, lp_span_of(file, (size_t)order->length), still_wanted, feed, e) != LP_OK)
		return e->code;
	lp_buf_fmt(&answer, "{\"milliseconds\":%lld}", (long long)milliseconds);
	lp_feed_answer(feed, 200, "application/json", lp_buf_span(&answer));
	return LP_OK;
}

/* One picture at a time is here; the node sends the next while this one is encoded. */
static enum lp_code make_video(struct lp_feed *feed, const struct lp_order *order, struct lp_err *e)
{
	const struct lp_video_want want = { order->frames, order->fps, order->width, order->height };
	struct lp_buf frame = { 0 }, file = { 0 };
	struct lp_video *video;

	lp_sandbox_limit(RLIMIT_CPU, VIDEO_SECONDS);
	if (lp_video_open(&video, &want, e) != LP_OK)
		return e->code;
	for (int i = 0; i < order->frames; i++) {
		if (lp_feed_gone(feed))
			return lp_fail(e, LP_GONE, "the node left");
		if (lp_feed_frame(feed, &frame, e) != LP_OK || lp_video_add(video, lp_buf_span(&frame), e) != LP_OK)
			return e->code;
	}
	if (feed->left)
		return lp_fail(e, LP_BAD_REQUEST, "more follows the last frame");
	if (lp_video_finish(video, &file, e) == LP_OK)
		lp_feed_answer(feed, 200, "video/mp4", lp_buf_span(&file));
	return e->code;
}

static void health(struct lp_feed *feed)
{
	struct lp_buf answer = { 0 };
	const char *encoder = lp_video_encoder();

	lp_buf_fmt(&answer, "{\"status\":\"OK\",\"encoder\":\"%s\"}", encoder ? encoder : "");
	lp_feed_answer(feed, 200, "application/json", lp_buf_span(&answer));
}

static enum lp_code serve(struct lp_feed *feed, struct lp_err *e)
{
	struct lp_order order;

	if (lp_feed_head(feed, &order, e) != LP_OK)
		return e->code;
	switch (order.kind) {
	case LP_ORDER_HEALTH:
		health(feed);
		break;
	case LP_ORDER_DURATION:
		return measure(feed, &order, e);
	case LP_ORDER_VIDEO:
		return make_video(feed, &order, e);
	}
	return LP_OK;
}

void lp_job_warm(void)
{
	av_log_set_level(AV_LOG_QUIET);		/* what strangers' files make it say is of no use to an operator */
	(void)lp_video_encoder();
}

/* A connection that is closed with bytes unread is reset, and a reset takes the answer with it: so a node that
 * is still sending is heard out, or until it has read the answer and closes. */
static void drain(struct lp_feed *feed)
{
	char bytes[16384];

	while (read(feed->fd, bytes, sizeof(bytes)) > 0)
		;
}

/* Its memory goes with the process: nothing is freed piece by piece. */
void lp_job_run(int fd)
{
	struct lp_feed feed = { .fd = fd };
	struct lp_err e = { .code = LP_OK };

	signal(SIGPIPE, SIG_IGN);
	give_up_rights();
	if (serve(&feed, &e) != LP_OK && e.code != LP_GONE)
		lp_feed_refuse(&feed, &e);
	drain(&feed);
}

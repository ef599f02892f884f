/* io/log_batch - the log lines of a moment (20 ms) go out in one write.
 *
 * A line a job is cheap; a system call a job is not.  Lines leave when their moment is over, when many have come
 * together, when the scope closes, and when lpd crashes.  Nobody waits for who reads the log: when he is behind, lines
 * wait in memory, then are dropped, and their number is said when there is room again. */
#ifndef LPD_IO_LOG_BATCH_H
#define LPD_IO_LOG_BATCH_H

#include <lpd/base/log.h>
#include <lpd/io/loop.h>

/* Puts itself before what the sink does now, and reads the time from the loop.  The sink must outlive the scope. */
void lp_log_batch(struct lp_scope *scope, struct lp_log_sink *sink, struct lp_loop *loop);

#endif

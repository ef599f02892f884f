/* media/job - one order of the node, from its head to the answer: the life of one process. */
#ifndef LPD_MEDIA_JOB_H
#define LPD_MEDIA_JOB_H

/* Before the fork: what the libraries make ready once, so that no job has to. */
void lp_job_warm(void);

/* Gives up what it does not need, reads the order from the connection, answers it. */
void lp_job_run(int fd);

#endif

/* io/http1_server - what an HTTP/1.1 connection of a server is made of.  For http1_server.c (the connection:
 * requests, deadlines, the end) and http1_reply.c (the exchange's side: its body and its reply) only. */
#ifndef LPD_IO_HTTP1_SERVER_H
#define LPD_IO_HTTP1_SERVER_H

#include <lpd/io/timer.h>

#include "http1_request.h"
#include "progress.h"
#include "wires.h"

#define LP_H1_DROP_MAX (256 * 1024)	/* of a body nobody wants, to keep the connection */
#define LP_H1_WATCHED (16 * 1024)	/* a backlog from which on it is watched whether the client reads */

enum lp_h1_state {
	LP_H1_HEAD,		/* of a request is waited for or has come in part */
	LP_H1_BODY,		/* of the request comes */
	LP_H1_REPLY,		/* the request is whole */
	LP_H1_DROP,		/* the reply has been given, the rest of the body is thrown away */
	LP_H1_LEAVE,		/* the last bytes go out, then the connection closes */
	LP_H1_CLOSED,
};

struct lp_h1_server {
	struct lp_server_conn_want want;
	struct lp_conn *conn;
	struct lp_exchange *ex;		/* from the whole head on, until its stream is over */
	const char *peer;		/* in the connection's scope: exchanges may outlive the conn by a turn */
	llhttp_t parser;
	struct lp_http1_head head;
	struct lp_buf rest;		/* came behind the request that is served */
	struct lp_ready soon;		/* parse the rest; tell that we are closed */
	struct lp_timer timer;
	int64_t due;			/* the timer may be early: moving it for each request costs more */
	struct lp_progress progress;	/* of the conn's backlog, once the reply has been written */
	int64_t given;			/* of the reply, when the hung-up client was last looked at */
	size_t unread;			/* of the body, by whoever serves the exchange */
	size_t dropped;
	size_t extra;			/* trailers and chunk extensions */
	const char *words;		/* why a callback of the parser refused */
	enum lp_code refused;
	enum lp_h1_state state;
	bool begun : 1;			/* a first byte of the head has come */
	bool keep : 1;			/* another request may follow */
	bool expects : 1;		/* the client waits for 100 Continue */
	bool http10 : 1, is_head : 1;
	bool chunked : 1;		/* the reply is */
	bool until_close : 1;		/* the reply's end is that of the connection */
	bool replied : 1;
	bool ended : 1;			/* the client will send no more */
	bool hung : 1;			/* and neither behind what is in `rest` and still unread */
	bool draining : 1;
};

/* http1_server.c */
void lp_h1_server_due(struct lp_h1_server *w, int64_t after);	/* the one deadline there is; LP_NEVER: none */
void lp_h1_server_next(struct lp_h1_server *w);		/* the reply is out, the request is read: the next one */
void lp_h1_server_leave(struct lp_h1_server *w);	/* no further request; close when the backlog is out */
void lp_h1_server_closed(struct lp_h1_server *w);	/* the conn is about to be closed by the caller */

/* http1_reply.c */
extern const struct lp_exchange_wire lp_h1_wire;

#endif

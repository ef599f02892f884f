/* proto/message - the network's protobuf messages, read within bounds and written.
 *
 * A message read is bounded twice: in size before anything is allocated, and in what the parser may allocate for it. */
#ifndef LPD_PROTO_MESSAGE_H
#define LPD_PROTO_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include <lpd/base/buf.h>
#include <lpd/base/scope.h>

/* The message, its strings checked to be UTF-8 as Go demands; NULL when it is malformed, longer than max, or would take
 * more memory than its size can explain.  It lives in the scope. */
void *lp_message_read(struct lp_scope *scope, const ProtobufCMessageDescriptor *kind, struct lp_span bytes, size_t max);
void lp_message_write(struct lp_buf *to, const ProtobufCMessage *message);

struct lp_span lp_message_bytes(ProtobufCBinaryData bytes);
ProtobufCBinaryData lp_message_lend(struct lp_span span);	/* for writing only: the const is cast away */

#endif

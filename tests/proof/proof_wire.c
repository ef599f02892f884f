/* pay/wire and the rows of pay/nonces: fields of any length, and no byte beyond them is read. */
#include "../../src/eth/address.c"
#include "../../src/eth/u256.c"
#include "../../src/pay/nonces.c"
#define number as_number	/* of another file */
#include "../../src/pay/wire.c"
#undef number
#include "proof.h"

/* As in proto/message, whose file draws in all of protobuf-c. */
struct lp_span lp_message_bytes(ProtobufCBinaryData bytes)
{
	return lp_span_of(bytes.data, bytes.len);
}

Net__TicketParams nondet_params(void);
Net__TicketExpirationParams nondet_round(void);

static ProtobufCBinaryData any_field(void)
{
	struct lp_span bytes = any_bytes(36);

	return (ProtobufCBinaryData){ bytes.len, (uint8_t *)(uintptr_t)bytes.at };
}

/* addresses of 20 bytes, hashes of 32, numbers of at most 32, and blocks of 64 bits. */
void prove_params_are_bounded(void)
{
	Net__TicketParams from = nondet_params();
	struct lp_params to;

	from.recipient = any_field();
	from.face_value = any_field();
	from.win_prob = any_field();
	from.recipient_rand_hash = any_field();
	from.seed = any_field();
	from.expiration_block = any_field();
	if (lp_paywire_to_params(&to, &from, NULL))
		return;
	CLAIM(from.recipient.len == 20 && from.recipient_rand_hash.len == 32);
	CLAIM(from.face_value.len <= 32 && from.win_prob.len <= 32 && from.seed.len <= 32);
}

void prove_rounds_are_bounded(void)
{
	Net__TicketExpirationParams from = nondet_round();
	struct lp_params to;

	from.creation_round_block_hash = any_field();
	if (lp_paywire_to_round(&to, &from, NULL))
		return;
	CLAIM(from.creation_round >= 0 && to.round == (uint64_t)from.creation_round);
	CLAIM(from.creation_round_block_hash.len == 32 || from.creation_round_block_hash.len == 0);
}

/* Bytes of a store that may be damaged: a row ends where they end, at the latest. */
void prove_rows_of_nonces_are_bounded(void)
{
	struct lp_span all = any_bytes(HEAD + 9), rest = all;
	struct lp_span row = cut_row(&rest);

	if (!row.at) {
		CLAIM(rest.at == all.at && rest.len == all.len);
		return;
	}
	CLAIM(row.at == all.at && row.len > HEAD && (row.len - HEAD) % 4 == 0);
	CLAIM(row.len + rest.len == all.len);
}

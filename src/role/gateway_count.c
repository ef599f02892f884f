/* role/gateway_count - what jobs and tries leave in the metrics. */
#include "gateway_job.h"

#include <lpd/base/hex.h>

#define NODE "bctr"	/* what the node that we replace calls a gateway */

static void set_score(const struct lp_gateway_job *j, const struct lp_orch *orch, double score)
{
	const struct lp_orch_info *info = lp_orch_info(orch);
	char model[128], uri[128], version[64], address[43] = "0x";

	if (!info)
		return;
	lp_span_copy(model, sizeof(model), j->request->model);
	lp_span_copy(uri, sizeof(uri), info->transcoder);
	lp_span_copy(version, sizeof(version), info->capabilities.version);
	if (info->address.len == 20)
		lp_hex_write(address + 2, info->address.at, 20);
	lp_metric_number(j->gw->node->metrics, LP_M_AI_SCORE,
			 LP_LABELS(NODE, j->pipeline->name, model, uri, address, version), score);
}

void lp_gateway_count_try(const struct lp_gateway_job *j, const struct lp_orch *orch, enum lp_code code,
			  const struct lp_orch_outcome *outcome)
{
	lp_metric_add(j->gw->node->metrics, LP_M_TRIES, LP_LABELS(j->pipeline->name, lp_code_name(code)), 1);
	if (code == LP_OK && outcome->work > 0)
		set_score(j, orch, (double)outcome->took / (double)LP_SEC / outcome->work);
}

/* Tickets of a try that left, and payments that could not be made. */
void lp_gateway_count_paid(const struct lp_gateway_job *j)
{
	struct lp_metrics *m = j->gw->node->metrics;
	struct lp_purse *purse = j->gw->purse;

	if (j->pay.how == LP_PAID_NOT_TAKEN || !j->pay.last.tickets)
		return;
	purse->value_sent += lp_amount_gwei(j->pay.last.value);
	lp_metric_add(m, LP_M_TICKETS_SENT, LP_LABELS(NODE), j->pay.last.tickets);
	lp_metric_number(m, LP_M_TICKET_VALUE_SENT, LP_LABELS(NODE), purse->value_sent);
}

/* A model counts by its name once an orchestrator that offers it was chosen: names that clients make up are not told
 * apart. */
void lp_gateway_count_job(const struct lp_gateway_job *j)
{
	struct lp_metrics *m = j->gw->node->metrics;
	enum lp_code code = j->err.code;
	char model[128] = "other";

	lp_metric_add(m, LP_M_JOBS, LP_LABELS("gateway", j->pipeline->name, lp_code_name(code)), 1);
	lp_metric_time(m, LP_M_JOB_SECONDS, LP_LABELS("gateway", j->pipeline->name), lp_task_age(&j->task));
	if (j->tries)
		lp_span_copy(model, sizeof(model), j->request->model);
	if (code != LP_OK)
		lp_metric_add(m, LP_M_AI_ERRORS, LP_LABELS(NODE, j->pipeline->name, model, lp_code_name(code)), 1);
	else if (j->tries)
		lp_metric_add(m, LP_M_AI_REQUESTED, LP_LABELS(NODE, j->pipeline->name, model), 1);
}

void lp_gateway_measure(struct lp_node *node)
{
	struct lp_roster_count c;

	lp_roster_count(node->gateway->roster, &c, lp_mono(node->loop));
	lp_metric_set(node->metrics, LP_M_AI_ORCHESTRATORS, LP_LABELS(NODE), c.ready);
	if (node->gateway->purse)
		lp_purse_measure(node->gateway->purse);
	lp_metric_set(node->metrics, LP_M_VERSIONS, LP_LABELS(NODE, "lpd " LPD_VERSION), 1);
}

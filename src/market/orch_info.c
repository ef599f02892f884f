#include <lpd/market/orch_info.h>

#include "wire.h"

#define CENTURIES (INT64_C(1) << 33) /* seconds: 272 years */

int64_t lp_auth_token_left(const struct lp_auth_token *token, int64_t now_seconds)
{
	if (token->expiration > now_seconds + CENTURIES)
		return CENTURIES;
	if (token->expiration < now_seconds - CENTURIES)
		return -CENTURIES;
	return token->expiration - now_seconds;
}

static Net__PriceInfo *of_price(struct lp_scope *scope, const struct lp_price_info *price)
{
	Net__PriceInfo *to = lp_new(scope, Net__PriceInfo);

	net__price_info__init(to);
	to->priceperunit = price->price_per_unit;
	to->pixelsperunit = price->pixels_per_unit;
	to->capability = price->capability;
	to->constraint = lp_wire_text(scope, price->constraint);
	return to;
}

static void to_price(struct lp_price_info *price, const Net__PriceInfo *from)
{
	price->present = true;
	price->price_per_unit = from->priceperunit;
	price->pixels_per_unit = from->pixelsperunit;
	price->capability = from->capability;
	price->constraint = lp_span(from->constraint);
}

static Net__HardwareInformation__GpuEntry *of_gpu(struct lp_scope *scope,
						  const struct lp_gpu_info *gpu)
{
	Net__HardwareInformation__GpuEntry *entry =
		lp_new(scope, Net__HardwareInformation__GpuEntry);
	Net__GPUComputeInfo *value = lp_new(scope, Net__GPUComputeInfo);

	net__hardware_information__gpu_entry__init(entry);
	net__gpucompute_info__init(value);
	value->id = lp_wire_text(scope, gpu->id);
	value->name = lp_wire_text(scope, gpu->name);
	value->major = gpu->major;
	value->minor = gpu->minor;
	value->memory_free = gpu->memory_free;
	value->memory_total = gpu->memory_total;
	entry->key_presence_case = NET__HARDWARE_INFORMATION__GPU_ENTRY__KEY_PRESENCE_KEY;
	entry->key = lp_wire_text(scope, gpu->key);
	entry->value_presence_case = NET__HARDWARE_INFORMATION__GPU_ENTRY__VALUE_PRESENCE_VALUE;
	entry->value = value;
	return entry;
}

static Net__HardwareInformation *of_hardware(struct lp_scope *scope,
					     const struct lp_hardware *hardware)
{
	Net__HardwareInformation *to = lp_new(scope, Net__HardwareInformation);

	net__hardware_information__init(to);
	to->pipeline = lp_wire_text(scope, hardware->pipeline);
	to->model_id = lp_wire_text(scope, hardware->model);
	to->n_gpu_info = (size_t)hardware->n_gpus;
	to->gpu_info = lp_new_array(scope, Net__HardwareInformation__GpuEntry *, to->n_gpu_info);
	for (int i = 0; i < hardware->n_gpus; i++)
		to->gpu_info[i] = of_gpu(scope, &hardware->gpus[i]);
	return to;
}

static void to_gpu(struct lp_gpu_info *gpu, const Net__HardwareInformation__GpuEntry *entry)
{
	if (entry->key_presence_case)
		gpu->key = lp_span(entry->key);
	if (!entry->value_presence_case || !entry->value)
		return;
	gpu->id = lp_span(entry->value->id);
	gpu->name = lp_span(entry->value->name);
	gpu->major = entry->value->major;
	gpu->minor = entry->value->minor;
	gpu->memory_free = entry->value->memory_free;
	gpu->memory_total = entry->value->memory_total;
}

static void to_hardware(struct lp_scope *scope, struct lp_hardware *hardware,
			const Net__HardwareInformation *from)
{
	hardware->pipeline = lp_span(from->pipeline);
	hardware->model = lp_span(from->model_id);
	hardware->n_gpus = (int)from->n_gpu_info;
	hardware->gpus = lp_new_array(scope, struct lp_gpu_info, from->n_gpu_info);
	for (int i = 0; i < hardware->n_gpus; i++)
		to_gpu(&hardware->gpus[i], from->gpu_info[i]);
}

/* The lists of an answer, for writing. */
static void of_lists(struct lp_scope *scope, Net__OrchestratorInfo *to,
		     const struct lp_orch_info *info)
{
	to->n_hardware = (size_t)info->n_hardware;
	to->hardware = lp_new_array(scope, Net__HardwareInformation *, to->n_hardware);
	for (int i = 0; i < info->n_hardware; i++)
		to->hardware[i] = of_hardware(scope, &info->hardware[i]);
	to->n_capabilities_prices = (size_t)info->n_prices;
	to->capabilities_prices = lp_new_array(scope, Net__PriceInfo *, to->n_capabilities_prices);
	for (int i = 0; i < info->n_prices; i++)
		to->capabilities_prices[i] = of_price(scope, &info->prices[i]);
	to->n_nodes = (size_t)info->n_nodes;
	to->nodes = lp_new_array(scope, char *, to->n_nodes);
	for (int i = 0; i < info->n_nodes; i++)
		to->nodes[i] = lp_wire_text(scope, info->nodes[i]);
}

void lp_orch_info_encode(struct lp_buf *to, const struct lp_orch_info *info)
{
	struct lp_scope *scope = lp_scope_open(NULL, "orchestrator info");
	Net__OrchestratorInfo message;

	net__orchestrator_info__init(&message);
	message.transcoder = lp_wire_text(scope, info->transcoder);
	if (info->has_ticket_params) {
		message.ticket_params_presence_case =
			NET__ORCHESTRATOR_INFO__TICKET_PARAMS_PRESENCE_TICKET_PARAMS;
		message.ticket_params = lp_message_lend(info->ticket_params);
	}
	if (info->price.present)
		message.price_info = of_price(scope, &info->price);
	message.address = lp_message_lend(info->address);
	if (info->has_capabilities)
		message.capabilities = lp_wire_of_caps(scope, &info->capabilities);
	message.auth_token = lp_wire_of_token(scope, &info->auth_token);
	of_lists(scope, &message, info);
	lp_message_write(to, &message.base);
	lp_scope_close(&scope);
}

static void to_lists(struct lp_scope *scope, struct lp_orch_info *info,
		     const Net__OrchestratorInfo *from)
{
	info->n_hardware = (int)from->n_hardware;
	info->hardware = lp_new_array(scope, struct lp_hardware, from->n_hardware);
	for (int i = 0; i < info->n_hardware; i++)
		to_hardware(scope, &info->hardware[i], from->hardware[i]);
	info->n_prices = (int)from->n_capabilities_prices;
	info->prices = lp_new_array(scope, struct lp_price_info, from->n_capabilities_prices);
	for (int i = 0; i < info->n_prices; i++)
		to_price(&info->prices[i], from->capabilities_prices[i]);
	info->n_nodes = (int)from->n_nodes;
	info->nodes = lp_new_array(scope, struct lp_span, from->n_nodes);
	for (int i = 0; i < info->n_nodes; i++)
		info->nodes[i] = lp_span(from->nodes[i]);
}

enum lp_code lp_orch_info_decode(struct lp_scope *scope, struct lp_orch_info *info,
				 struct lp_span bytes, struct lp_err *e)
{
	const Net__OrchestratorInfo *from =
		lp_message_read(scope, &net__orchestrator_info__descriptor, bytes, LP_WIRE_INFO_MAX);

	*info = (struct lp_orch_info){ 0 };
	if (!from)
		return lp_fail(e, LP_BAD_PEER,
			       "the orchestrator's description of itself cannot be read");
	info->transcoder = lp_span(from->transcoder);
	if (from->ticket_params_presence_case) {
		info->has_ticket_params = true;
		info->ticket_params = lp_message_bytes(from->ticket_params);
		if (!lp_message_read(scope, &net__ticket_params__descriptor, info->ticket_params,
				  LP_WIRE_SMALL_MAX))
			return lp_fail(e, LP_BAD_PEER,
				       "the orchestrator's ticket parameters cannot be read");
	}
	if (from->price_info)
		to_price(&info->price, from->price_info);
	info->address = lp_message_bytes(from->address);
	info->has_capabilities = from->capabilities != NULL;
	if (from->capabilities)
		lp_wire_to_caps(scope, &info->capabilities, from->capabilities);
	lp_wire_to_token(&info->auth_token, from->auth_token);
	to_lists(scope, info, from);
	return LP_OK;
}

enum lp_code lp_capabilities_decode(struct lp_scope *scope, struct lp_capabilities *caps, struct lp_span bytes,
				    struct lp_err *e)
{
	const Net__Capabilities *from =
		lp_message_read(scope, &net__capabilities__descriptor, bytes, LP_WIRE_SMALL_MAX);

	*caps = (struct lp_capabilities){ 0 };
	if (!from)
		return lp_fail(e, LP_BAD_REQUEST, "capabilities cannot be read");
	lp_wire_to_caps(scope, caps, from);
	return LP_OK;
}

void lp_orch_request_encode(struct lp_buf *to, const struct lp_orch_request *request)
{
	struct lp_scope *scope = lp_scope_open(NULL, "orchestrator request");
	Net__OrchestratorRequest message;

	net__orchestrator_request__init(&message);
	message.address = lp_message_lend(request->address);
	message.sig = lp_message_lend(request->sig);
	if (request->has_capabilities)
		message.capabilities = lp_wire_of_caps(scope, &request->capabilities);
	message.ignorecapacitycheck = request->ignore_capacity_check;
	lp_message_write(to, &message.base);
	lp_scope_close(&scope);
}

enum lp_code lp_orch_request_decode(struct lp_scope *scope, struct lp_orch_request *request,
				    struct lp_span bytes, struct lp_err *e)
{
	const Net__OrchestratorRequest *from = lp_message_read(
		scope, &net__orchestrator_request__descriptor, bytes, LP_WIRE_SMALL_MAX);

	*request = (struct lp_orch_request){ 0 };
	if (!from)
		return lp_fail(e, LP_BAD_REQUEST, "the question cannot be read");
	request->address = lp_message_bytes(from->address);
	request->sig = lp_message_bytes(from->sig);
	request->has_capabilities = from->capabilities != NULL;
	if (from->capabilities)
		lp_wire_to_caps(scope, &request->capabilities, from->capabilities);
	request->ignore_capacity_check = from->ignorecapacitycheck;
	return LP_OK;
}

// The kernels of the ops as the registry calls them.
//
// An op has finished when its call returns: it waits for its results, on the call's stream. Cancellation is looked at
// before a launch and never during one.
#pragma once

#include "ops/op_call.hpp"

namespace papo::cuda {

Status token_stats(const OpCall& call);
Status token_stats_partial(const OpCall& call);
Status token_stats_grad(const OpCall& call);
Status papo_loss(const OpCall& call);

}  // namespace papo::cuda

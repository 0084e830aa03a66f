#include "engine/plugin/plugin.h"

#include "plugins/prune/importance.h"
#include "plugins/prune/minitron.h"

STILLROOM_PLUGIN("prune", "0.1.0") {
    registry.add<stillroom::prune::Importance>();
    registry.add<stillroom::prune::Minitron>();
}

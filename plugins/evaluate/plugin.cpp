#include "engine/plugin/plugin.h"

#include "plugins/evaluate/compare.h"
#include "plugins/evaluate/generate.h"
#include "plugins/evaluate/logits.h"
#include "plugins/evaluate/mmlu.h"
#include "plugins/evaluate/perplexity.h"
#include "plugins/evaluate/tasks.h"

STILLROOM_PLUGIN("evaluate", "0.1.0") {
    registry.add<stillroom::evaluate::Compare>();
    registry.add<stillroom::evaluate::Generate>();
    registry.add<stillroom::evaluate::Logits>();
    registry.add<stillroom::evaluate::Mmlu>();
    registry.add<stillroom::evaluate::Perplexity>();
    registry.add<stillroom::evaluate::Tasks>();
}

#include "plugins/lm/parallel/model_part.h"

#include "plugins/lm/weights/tensor_parallel.h"
#include "plugins/lm/weights/weight_table.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
    return text.ends_with(end);
}

bool is_kv(const std::string& name) {
    return name.find(".k_proj.") != std::string::npos || name.find(".v_proj.") != std::string::npos;
}

bool is_head_norm(const std::string& name) {
    return ends_with(name, ".q_norm.weight") || ends_with(name, ".k_norm.weight");
}

/// Its gradient is made from all of a token's numbers: of a shared sequence, of some tokens only.
bool is_token_norm(const std::string& name) {
    return !is_head_norm(name) && (name.find("norm.") != std::string::npos);
}

class Parting {
public:
    Parting(const ModelConfig& config, const PartRequest& request)
        : whole_(config),
          request_(request),
          ranks_(request.layout.tensor),
          rank_(request.place.tensor) {}

    ModelPart part() const {
        const Layout& layout = request_.layout;
        int stage = request_.place.pipeline;
        ModelPart part;
        part.first_layer = layout.first_layer(stage);
        part.last_layer = layout.first_layer(stage + 1);
        part.embeds = stage == 0;
        part.heads = stage + 1 == layout.pipeline;
        part.words = ranks_ > 1 ? whole_.vocab : 0;
        part.row_bias = rank_ == 0;
        Run words = word_run();
        part.first_word = words.begin;
        std::int64_t counted = request_.head_words > 0 ? request_.head_words : whole_.vocab;
        part.head_words = std::clamp<std::int64_t>(counted - words.begin, 0, words.count);
        part.config = local_config(part, words.count);

        for (const Weight& weight : weight_table(whole_))
            if (is_here(weight, part))
                part.weights.push_back(held(weight));
        return part;
    }

private:
    /// Words go over the ranks by those that count, so that both models of a distillation hold the
    /// same ones; what is padding is the last rank's.
    Run word_run() const {
        std::int64_t counted = request_.head_words > 0 ? request_.head_words : whole_.vocab;
        std::int64_t begin = counted * rank_ / ranks_;
        std::int64_t end = rank_ + 1 == ranks_ ? whole_.vocab : counted * (rank_ + 1) / ranks_;
        return {begin, end - begin};
    }

    ModelConfig local_config(const ModelPart& part, std::int64_t words) const {
        ModelConfig config = whole_;
        config.vocab = words;
        for (std::size_t i = 0; i < config.layers.size(); i++) {
            Layer& layer = config.layers[i];
            if (i < part.first_layer || i >= part.last_layer) {
                layer = {};
                continue;
            }
            if (layer.attention) {
                layer.attention->heads /= ranks_;
                layer.attention->kv_heads =
                    std::max<std::int64_t>(1, layer.attention->kv_heads / ranks_);
            }
            if (layer.mlp)
                layer.mlp->width /= ranks_;
        }
        return config;
    }

    static bool is_embedding(const Weight& weight) {
        return ends_with(weight.name, "embed_tokens.weight");
    }
    static bool is_head(const Weight& weight) { return ends_with(weight.name, "lm_head.weight"); }

    bool is_here(const Weight& weight, const ModelPart& part) const {
        if (weight.layer >= 0) {
            auto layer = static_cast<std::size_t>(weight.layer);
            return layer >= part.first_layer && layer < part.last_layer;
        }
        if (is_embedding(weight))
            return part.embeds || (part.heads && whole_.tied);
        return part.heads;  // the last norm, the head
    }

    HeldWeight held(const Weight& weight) const {
        HeldWeight out;
        out.name = weight.name;
        out.whole = out.shape = weight.shape();
        bool words = is_embedding(weight) || is_head(weight);
        out.dim = words ? 0 : weight.tp_dim.value_or(0);
        out.runs = words ? Runs{word_run()} : tp_part(weight, ranks_, rank_);
        out.shape[static_cast<std::size_t>(out.dim)] = count_of(out.runs);
        share(weight, out);
        return out;
    }

    void share(const Weight& weight, HeldWeight& out) const {
        bool is_copy = false;  // another rank of the layer holds the same numbers
        if (ranks_ > 1) {
            if (!weight.tp_dim && !is_embedding(weight) && !is_head(weight)) {
                is_copy = rank_ != 0;
                bool row_bias = ends_with(weight.name, ".bias") && !is_token_norm(weight.name);
                if (is_head_norm(weight.name) || row_bias ||
                    (request_.sequence && is_token_norm(weight.name)))
                    out.sharing = Sharing::summed;
            } else if (is_kv(weight.name) && weight.layer >= 0) {
                std::int64_t groups =
                    whole_.layers[static_cast<std::size_t>(weight.layer)].attention->kv_heads;
                if (groups < ranks_) {
                    out.sharing = Sharing::summed;
                    is_copy = rank_ % (ranks_ / groups) != 0;
                }
            }
        }
        if (is_embedding(weight) && whole_.tied && request_.layout.pipeline > 1) {
            out.sharing = Sharing::at_ends;
            is_copy = request_.place.pipeline != 0;
        }
        out.counted = !is_copy;
    }

    const ModelConfig& whole_;
    const PartRequest& request_;
    std::int64_t ranks_, rank_;
};

}  // namespace

ModelPart part_of(const ModelConfig& config, const PartRequest& request) {
    return Parting(config, request).part();
}

}  // namespace stillroom::lm

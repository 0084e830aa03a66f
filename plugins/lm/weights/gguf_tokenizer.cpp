#include "plugins/lm/weights/gguf_tokenizer.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/lm/weights/pre_tokenizers.h"
#include "plugins/lm/weights/score_merges.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::string_view kBlank = "\u2581";

const PreTokenizer& splitter(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const PreTokenizer* known = pre_tokenizer_named(vocabulary.pre);
    if (!known)
        file.refuse(fmt::format("how '{}' splits text is not known ('tokenizer.ggml.pre')",
                                shown(vocabulary.pre)),
                    "known are " + join(pre_tokenizer_names()) +
                        "; a guess would give wrong tokens silently");
    return *known;
}

class TokenizerWriter {
public:
    TokenizerWriter(const GgufFile& file, const GgufVocabulary& vocabulary)
        : file_(file),
          vocabulary_(vocabulary) {
        if (vocabulary.byte_level) {
            known_ = &splitter(file, vocabulary);
            if (vocabulary.add_space_prefix.value_or(false))
                file.refuse("'tokenizer.ggml.add_space_prefix' is not supported in byte-level BPE");
        } else if (!vocabulary.pre.empty() && vocabulary.pre != "default") {
            file.refuse(fmt::format("how '{}' splits text is not known ('tokenizer.ggml.pre')",
                                    shown(vocabulary.pre)));
        }
    }

    std::string write() {
        json_.begin_object();
        text("version", "1.0");
        null("truncation");
        null("padding");
        added_tokens();
        normalizer();
        pre_tokenizer();
        post_processor();
        decoder();
        model();
        json_.end_object();
        return json_.take() + "\n";
    }

private:
    void text(std::string_view key, std::string_view value) {
        json_.key(key);
        json_.string(value);
    }
    void flag(std::string_view key, bool value) {
        json_.key(key);
        json_.boolean(value);
    }
    void null(std::string_view key) {
        json_.key(key);
        json_.null();
    }
    void integer(std::string_view key, std::int64_t value) {
        json_.key(key);
        json_.integer(value);
    }
    /// {"type": TYPE, and what is written till end_object().
    void begin(std::string_view type) {
        json_.begin_object();
        text("type", type);
    }

    void added_tokens() {
        json_.key("added_tokens");
        json_.begin_array();
        for (std::size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
            if (!vocabulary_.is_added(id))
                continue;
            json_.begin_object();
            integer("id", static_cast<std::int64_t>(id));
            text("content", vocabulary_.tokens[id]);
            for (std::string_view key : {"single_word", "lstrip", "rstrip", "normalized"})
                flag(key, false);
            flag("special", vocabulary_.types[id] != TokenType::user_defined);
            json_.end_object();
        }
        json_.end_array();
    }

    bool prefixes_blank() const { return vocabulary_.add_space_prefix.value_or(true); }

    void replace(std::string_view from, std::string_view to) {
        begin("Replace");
        json_.key("pattern");
        json_.begin_object();
        text("String", from);
        json_.end_object();
        text("content", to);
        json_.end_object();
    }

    void normalizer() {
        json_.key("normalizer");
        if (vocabulary_.byte_level) {
            if (known_->nfc) {
                begin("NFC");
                json_.end_object();
            } else {
                json_.null();
            }
            return;
        }
        if (!prefixes_blank()) {
            replace(" ", kBlank);
            return;
        }
        begin("Sequence");
        json_.key("normalizers");
        json_.begin_array();
        begin("Prepend");
        text("prepend", kBlank);
        json_.end_object();
        replace(" ", kBlank);
        json_.end_array();
        json_.end_object();
    }

    void byte_level(bool prefix, bool trim, bool regex) {
        begin("ByteLevel");
        flag("add_prefix_space", prefix);
        flag("trim_offsets", trim);
        flag("use_regex", regex);
        json_.end_object();
    }

    void pre_tokenizer() {
        json_.key("pre_tokenizer");
        if (!vocabulary_.byte_level) {
            json_.null();
            return;
        }
        if (known_->pattern.empty() && !known_->single_digits) {
            byte_level(false, true, true);
            return;
        }
        begin("Sequence");
        json_.key("pretokenizers");
        json_.begin_array();
        if (known_->single_digits) {
            begin("Digits");
            flag("individual_digits", true);
            json_.end_object();
        }
        if (!known_->pattern.empty()) {
            begin("Split");
            json_.key("pattern");
            json_.begin_object();
            text("Regex", known_->pattern);
            json_.end_object();
            text("behavior", "Isolated");
            flag("invert", false);
            json_.end_object();
        }
        byte_level(false, known_->pattern.empty(), known_->pattern.empty());
        json_.end_array();
        json_.end_object();
    }

    void special(std::int64_t id, int type) {
        json_.begin_object();
        json_.key("SpecialToken");
        json_.begin_object();
        text("id", vocabulary_.token(id));
        integer("type_id", type);
        json_.end_object();
        json_.end_object();
    }

    void sequence(AddedEnds ends, std::string_view name, int type) {
        if (ends.bos)
            special(*vocabulary_.special.bos, type);
        json_.begin_object();
        json_.key("Sequence");
        json_.begin_object();
        text("id", name);
        integer("type_id", type);
        json_.end_object();
        json_.end_object();
        if (ends.eos)
            special(vocabulary_.special.eos.front(), type);
    }

    void special_ids(AddedEnds ends) {
        std::vector<std::int64_t> ids;
        if (ends.bos)
            ids.push_back(*vocabulary_.special.bos);
        if (ends.eos && (ids.empty() || ids[0] != vocabulary_.special.eos.front()))
            ids.push_back(vocabulary_.special.eos.front());
        json_.key("special_tokens");
        json_.begin_object();
        for (std::int64_t id : ids) {
            json_.key(vocabulary_.token(id));
            json_.begin_object();
            text("id", vocabulary_.token(id));
            json_.key("ids");
            json_.begin_array();
            json_.integer(id);
            json_.end_array();
            json_.key("tokens");
            json_.begin_array();
            json_.string(vocabulary_.token(id));
            json_.end_array();
            json_.end_object();
        }
        json_.end_object();
    }

    void post_processor() {
        AddedEnds ends = added_ends(file_, vocabulary_);
        json_.key("post_processor");
        if (!ends.bos && !ends.eos) {
            if (vocabulary_.byte_level)
                byte_level(false, false, false);
            else
                json_.null();
            return;
        }
        begin("TemplateProcessing");
        json_.key("single");
        json_.begin_array();
        sequence(ends, "A", 0);
        json_.end_array();
        json_.key("pair");
        json_.begin_array();
        sequence(ends, "A", 0);
        sequence(ends, "B", 1);
        json_.end_array();
        special_ids(ends);
        json_.end_object();
    }

    void decoder() {
        json_.key("decoder");
        if (vocabulary_.byte_level) {
            byte_level(true, true, true);
            return;
        }
        begin("Sequence");
        json_.key("decoders");
        json_.begin_array();
        replace(kBlank, " ");
        for (std::string_view type : {"ByteFallback", "Fuse"}) {
            begin(type);
            json_.end_object();
        }
        if (prefixes_blank()) {
            begin("Strip");
            text("content", " ");
            integer("start", 1);
            integer("stop", 0);
            json_.end_object();
        }
        json_.end_array();
        json_.end_object();
    }

    void model() {
        bool byte_tokens = false;
        for (TokenType type : vocabulary_.types)
            byte_tokens |= type == TokenType::byte;
        json_.key("model");
        begin("BPE");
        null("dropout");
        if (!vocabulary_.byte_level && vocabulary_.unknown)
            text("unk_token", vocabulary_.token(*vocabulary_.unknown));
        else
            null("unk_token");
        null("continuing_subword_prefix");
        null("end_of_word_suffix");
        flag("fuse_unk", !vocabulary_.byte_level);
        flag("byte_fallback", !vocabulary_.byte_level && byte_tokens);
        flag("ignore_merges", known_ && known_->ignore_merges);
        json_.key("vocab");
        json_.begin_object();
        own_tokens_ = own_tokens();
        for (std::size_t id = 0; id < own_tokens_; ++id)
            integer(vocabulary_.tokens[id], static_cast<std::int64_t>(id));
        json_.end_object();
        json_.key("merges");
        json_.begin_array();
        if (vocabulary_.byte_level)
            byte_level_merges();
        else
            score_merges();
        json_.end_array();
        json_.end_object();
    }

    /// Added tokens behind all others have their ids without being the model's own.
    std::size_t own_tokens() const {
        std::size_t count = vocabulary_.tokens.size();
        while (vocabulary_.byte_level && count > 0 && vocabulary_.is_added(count - 1))
            --count;
        return count;
    }

    void byte_level_merges() {
        std::string whole;
        for (std::size_t i = 0; i < vocabulary_.merges.size(); ++i) {
            std::string_view merge = vocabulary_.merges[i];
            std::size_t blank = merge.find(' ');
            if (blank == std::string_view::npos || merge.find(' ', blank + 1) != merge.npos)
                file_.refuse(fmt::format("merge {} is '{}', not two tokens", i, shown(merge)));
            std::string_view left = merge.substr(0, blank), right = merge.substr(blank + 1);
            whole.assign(left).append(right);
            for (std::string_view part : {left, right, std::string_view(whole)})
                if (auto found = vocabulary_.ids.find(part);
                    found == vocabulary_.ids.end() || found->second >= own_tokens_)
                    file_.refuse(fmt::format("merge {} is '{}', and '{}' is no token of the model",
                                             i,
                                             shown(merge),
                                             shown(part)));
            json_.string(merge);
        }
    }

    void score_merges() {
        std::string line;
        std::vector<Merge> merges = merges_of_scores(file_, vocabulary_);
        for (const Merge& merge : merges) {
            line.assign(vocabulary_.tokens[merge.left]);
            line += ' ';
            line += vocabulary_.tokens[merge.right];
            json_.string(line);
        }
    }

    const GgufFile& file_;
    const GgufVocabulary& vocabulary_;
    const PreTokenizer* known_ = nullptr;
    std::size_t own_tokens_ = 0;
    JsonWriter json_{2};
};

}  // namespace

AddedEnds added_ends(const GgufFile& file, const GgufVocabulary& vocabulary) {
    bool bos = vocabulary.byte_level ? splitter(file, vocabulary).add_bos : true;
    AddedEnds ends{vocabulary.add_bos.value_or(bos), vocabulary.add_eos.value_or(false)};
    if (ends.bos && !vocabulary.special.bos) {
        if (vocabulary.add_bos)
            file.refuse("'tokenizer.ggml.add_bos_token' is set, and there is no bos_token_id");
        ends.bos = false;
    }
    if (ends.eos && vocabulary.special.eos.empty())
        file.refuse("'tokenizer.ggml.add_eos_token' is set, and there is no eos_token_id");
    return ends;
}

std::string gguf_tokenizer_text(const GgufFile& file, const GgufVocabulary& vocabulary) {
    return TokenizerWriter(file, vocabulary).write();
}

}  // namespace stillroom::lm

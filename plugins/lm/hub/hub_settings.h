#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <optional>
#include <string>

namespace stillroom::lm {

/// Who asks. Its text goes into one request header and nowhere else; messages name its source.
class STILLROOM_API HubToken {
public:
    HubToken(std::string text, std::string source);

    const std::string& source() const { return source_; }  ///< "HF_TOKEN", or a file
    std::string authorization() const { return "Bearer " + text_; }

private:
    std::string text_;
    std::string source_;
};

/// Where the Hub is, where its files are kept, and who asks: what the environment says, by the
/// rules of Hugging Face's own tools.
struct HubSettings {
    std::filesystem::path cache;
    std::string endpoint = "https://huggingface.co";  ///< no '/' at its end
    std::optional<HubToken> token;
    bool offline = false;
    bool links = true;             ///< false: files stand in the snapshot themselves
    double ask_seconds = 10;       ///< for an answer about a file
    double download_seconds = 10;  ///< without bytes, then another try
    double pause_seconds = 0.5;    ///< before the second try; each further one waits twice as long

    /// `offline` is the command line's word; the environment can only add to it. Throws Error
    /// (exit 5) for an endpoint or a token that cannot be one.
    STILLROOM_API static HubSettings from_environment(bool offline);
};

}  // namespace stillroom::lm

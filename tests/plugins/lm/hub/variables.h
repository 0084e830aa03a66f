#pragma once

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

namespace stillroom::lm {

/// Environment variables for one test; all that matter to a hub are unset before and put back
/// after.
class Variables {
public:
    using Set = std::map<std::string, std::string>;

    explicit Variables(const Set& set) {
        for (const char* name : {"HF_HUB_CACHE",
                                 "HUGGINGFACE_HUB_CACHE",
                                 "HF_HOME",
                                 "XDG_CACHE_HOME",
                                 "HOME",
                                 "HF_TOKEN",
                                 "HUGGING_FACE_HUB_TOKEN",
                                 "HF_TOKEN_PATH",
                                 "HF_HUB_DISABLE_IMPLICIT_TOKEN",
                                 "HF_HUB_OFFLINE",
                                 "TRANSFORMERS_OFFLINE",
                                 "HF_ENDPOINT",
                                 "HF_HUB_ETAG_TIMEOUT",
                                 "HF_HUB_DOWNLOAD_TIMEOUT",
                                 "HF_HUB_DISABLE_SYMLINKS"})
            hide(name);
        for (const auto& [name, value] : set) {
            hide(name);
            ::setenv(name.c_str(), value.c_str(), 1);
        }
    }
    Variables(const Variables&) = delete;
    Variables& operator=(const Variables&) = delete;
    ~Variables() {
        for (const auto& [name, value] : before_)
            if (value)
                ::setenv(name.c_str(), value->c_str(), 1);
            else
                ::unsetenv(name.c_str());
    }

private:
    void hide(const std::string& name) {
        const char* value = std::getenv(name.c_str());
        before_.emplace(name, value ? std::optional<std::string>(value) : std::nullopt);
        ::unsetenv(name.c_str());
    }

    std::map<std::string, std::optional<std::string>> before_;
};

}  // namespace stillroom::lm

#pragma once

#include "engine/base/api.h"
#include "engine/base/error.h"
#include "engine/base/http.h"
#include "plugins/lm/hub/hub_settings.h"
#include "plugins/lm/hub/hub_source.h"

#include <string>

namespace stillroom::lm {

enum class HubFault {
    repo_not_found,
    revision_not_found,
    file_not_found,
    gated,         ///< whoever asks must first accept its licence
    unauthorized,  ///< the token is no good, or there is none
    too_many,      ///< 429, for longer than it makes sense to wait
    unreachable,   ///< no network, or a server that is down
    untrusted,     ///< TLS, or a way that leads away from it
    wrong,         ///< what the server says or sends cannot be
    stopped,       ///< by the caller
};

/// What ends a request to a hub: exit 5, or 75 when stopped.
class STILLROOM_API HubError : public Error {
public:
    HubError(HubFault fault, std::string message, std::string hint);
    ~HubError() override;

    HubFault fault() const { return fault_; }

private:
    HubFault fault_;
};

/// Which address answered, as messages name it: without what follows '?', where signatures stand.
std::string shown_address(const std::string& address);

/// Why a request about a repository (one file of it, unless `path` is empty) did not give what it
/// should.
HubError hub_failure(const HttpAnswer& answer,
                     const std::string& address,
                     const HubSource& source,
                     const std::string& path,
                     const HubSettings& settings);

}  // namespace stillroom::lm

"""Where the routing table comes from: EndpointSlices of some namespaces, watched, or a file outside Kubernetes.

`directory` holds the table, `departures` remembers which endpoints are gone; `events` and `sources` read what the
apiserver says (values only); `apiserver` asks it, `follower` keeps at it for one namespace and `slice_watch` for all.
"""

from qwen3vl_server.gateway.discovery.apiserver import api_configuration
from qwen3vl_server.gateway.discovery.directory import Directory, from_file
from qwen3vl_server.gateway.discovery.follower import Patience
from qwen3vl_server.gateway.discovery.slice_watch import SliceWatch

__all__ = ["Directory", "Patience", "SliceWatch", "api_configuration", "from_file"]

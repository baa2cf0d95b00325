"""What tests may rely on where kube-controller-manager runs beside the apiserver."""

import pytest
from tests.integration.operator.api import Refused, eventually
from tests.integration.operator.conftest import model
from tests.integration.operator.controllers import COLLECTED_SECONDS, ControlledCluster


def test_a_deleted_namespace_goes_with_all_that_is_in_it(controlled: ControlledCluster) -> None:
    namespace = controlled.make_namespace()
    namespace.create("visionmodels", model())
    controlled.remove_namespace(namespace)
    with pytest.raises(Refused, match="not found"):
        namespace.get("visionmodels", "m")


def test_what_a_deleted_model_owned_is_collected(controlled: ControlledCluster) -> None:
    namespace = controlled.make_namespace()
    owner = namespace.create("visionmodels", model())
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {"name": "m", "uid": owner["metadata"]["uid"]}
    for name, owners in (("owned", [reference]), ("alone", [])):
        namespace.create(
            "services", {"metadata": {"name": name, "ownerReferences": owners}, "spec": {"clusterIP": "None"}}
        )
    namespace.delete("visionmodels", "m")
    eventually(lambda: namespace.find("services", "owned") is None, COLLECTED_SECONDS)
    assert namespace.find("services", "alone") is not None

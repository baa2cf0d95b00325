"""Which images the chart names: none by itself, and how registry, repository, tag and digest make one."""

import pytest
from tests.integration.chart.rendering import (
    Object,
    container,
    environment,
    helm_template,
    migration_job,
    pod_specs,
    render,
)

IMAGES = {"operator": "qwen3vl-operator", "server": "qwen3vl-gateway"}
DIGEST = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize("part", ["operator", "server", "vln"])
def test_without_an_image_named_nothing_is_rendered(part: str) -> None:
    others = {"operator", "server", "vln"} - {part}
    done = helm_template({name: {"image": {"repository": f"here/{name}"}} for name in others})
    assert done.returncode != 0
    assert (
        f"no image is named for {part}: set global.imageRegistry to the registry that has qwen3vl/operator, "
        f"qwen3vl/server and qwen3vl/vln, or {part}.image.repository to where that image lies" in done.stderr
    )


@pytest.mark.parametrize(
    ("registry", "image", "becomes"),
    [
        ("registry.example", {}, "registry.example/qwen3vl/{part}:0.1.0"),
        ("mirror:5000/deep/", {"tag": "7"}, "mirror:5000/deep/qwen3vl/{part}:7"),
        ("", {"repository": "registry.example/our/{part}"}, "registry.example/our/{part}:0.1.0"),
        ("mirror", {"repository": "registry.example/our/{part}"}, "mirror/our/{part}:0.1.0"),
        ("mirror", {"repository": "localhost/our/{part}"}, "mirror/our/{part}:0.1.0"),
        ("mirror", {"repository": "registry:5000/{part}"}, "mirror/{part}:0.1.0"),
        ("mirror", {"repository": "our/{part}"}, "mirror/our/{part}:0.1.0"),
        ("", {"repository": "our/{part}", "tag": "7", "digest": DIGEST}, f"our/{{part}}@{DIGEST}"),
        ("mirror", {"digest": DIGEST}, f"mirror/qwen3vl/{{part}}@{DIGEST}"),
    ],
)
def test_how_images_are_named(registry: str, image: Object, becomes: str) -> None:
    sections: Object = {
        part: {"image": {key: value.format(part=part) for key, value in image.items()}}
        for part in ("operator", "server", "vln")
    }
    objects = render(**sections, **{"global": {"imageRegistry": registry}})
    for part, deployment in IMAGES.items():
        assert container(objects, deployment)["image"] == becomes.format(part=part)
    told = environment(objects, "qwen3vl-operator")
    assert told["QWEN3VL_SERVER_IMAGE"] == becomes.format(part="server")
    assert told["QWEN3VL_VLN_IMAGE"] == becomes.format(part="vln")
    assert told["QWEN3VL_IMAGE_REGISTRY"] == registry.rstrip("/")
    specs = pod_specs(objects)
    assert specs[migration_job(objects)]["containers"][0]["image"] == becomes.format(part="operator")
    assert specs["qwen3vl-test-picture"]["containers"][0]["image"] == becomes.format(part="server")

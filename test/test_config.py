"""The configuration: in and out unchanged, wrong input named, files and table derived from one source."""

import pytest

from bev_loc.config import Config
from bev_loc.config_io import changes, dump, from_tree, leaves, load, override, override_text, table, to_tree
from bev_loc.errors import ConfigError


def test_every_default_is_admissible_by_its_own_declaration():
    config = Config()
    assert override(config, {leaf.key: leaf.value for leaf in leaves(config)}) == config


def test_every_key_has_a_meaning_and_every_number_a_range():
    for leaf in leaves(Config()):
        assert leaf.meaning, leaf.key
        assert leaf.kind not in ("int", "float") or leaf.minimum is not None, leaf.key
        assert leaf.kind not in ("int", "float") or leaf.minimum <= leaf.value <= leaf.maximum, leaf.key


def test_a_dumped_configuration_is_read_back_as_it_was(tmp_path):
    config = override(
        Config(),
        {
            "odometry.deskew": "off",
            "odometry.scan_voxel_m": 0.25,
            "input.initial_rpy": [0.1, 0, 3],
            "input.T_base_lidar": [1, 2, 3, 0, 0, 0],
            "input.points_topic": "/a b: #c",
            "place.min_path_m": 1e4,
            "graph.odometry_sigma_m": 1e-5,
            "ros.publish_tf": False,
        },
    )
    (tmp_path / "c.yaml").write_text(dump(config))
    assert load(tmp_path / "c.yaml") == config


def test_the_tree_is_made_of_plain_values_and_comes_back():
    tree = to_tree(Config())
    assert {type(value) for section in tree.values() for value in section.values()} <= {bool, int, float, str, list}
    assert from_tree(tree) == Config()


def test_keys_left_out_keep_the_values_of_the_base(tmp_path):
    base = override(Config(), {"keyframes.distance_m": 3.0})
    (tmp_path / "c.yaml").write_text("odometry:\n  max_range_m: 60\nkeyframes:\n  # all default\n")
    config = load(tmp_path / "c.yaml", base)
    assert (config.odometry.max_range_m, config.keyframes.distance_m) == (60.0, 3.0)


def test_changes_are_the_keys_that_differ():
    config = override(Config(), {"keyframes.distance_m": 3.0, "bev.cell_m": Config().bev.cell_m})
    assert [(leaf.key, leaf.value, before) for leaf, before in changes(config)] == [("keyframes.distance_m", 3.0, 2.0)]


@pytest.mark.parametrize("text, expected", [("1e2", 100.0), ("5.0e+1", 50.0), ("60", 60.0), ("'70'", 70.0)])
def test_numbers_that_yaml_reads_as_text_are_numbers(text, expected):
    assert override_text(Config(), [f"odometry.max_range_m={text}"]).odometry.max_range_m == expected


@pytest.mark.parametrize("text, expected", [("off", "off"), ("auto", "auto"), ("'off'", "off")])
def test_off_is_a_word_where_it_is_a_choice(text, expected):
    assert override_text(Config(), [f"odometry.deskew={text}"]).odometry.deskew == expected


def test_a_whole_number_may_be_written_with_a_point():
    assert override(Config(), {"place.candidates": 4.0}).place.candidates == 4


REFUSED = {
    "an unknown key, with the nearest one": ("odometry.max_rnge_m=3", r"'odometry.max_rnge_m'.*'odometry.max_range_m'"),
    "an unknown section": ("odometri.max_range_m=3", r"odometri.max_range_m'.*'odometry.max_range_m'"),
    "a key without likeness": ("zzz=1", "config table"),
    "no value": ("odometry.max_range_m", "key=value"),
    "a text for a number": ("odometry.max_range_m=far", "must be a number, got 'far'"),
    "a truth value for a number": ("odometry.max_range_m=true", "must be a number, got True"),
    "nothing for a number": ("odometry.max_range_m=", "must be a number, got None"),
    "no number": ("odometry.max_range_m=.nan", "must be a number, got nan"),
    "infinity": ("odometry.max_range_m=.inf", "must lie in 5 to 500, got inf"),
    "too small": ("odometry.max_range_m=1", "must lie in 5 to 500, got 1"),
    "a fraction for a whole number": ("place.candidates=2.5", "must be a whole number, got 2.5"),
    "infinity for a whole number": ("place.candidates=.inf", "must be a whole number, got inf"),
    "a number for a text": ("ros.map_frame=3", "must be a text, got 3"),
    "a number for a truth value": ("ros.publish_tf=1", "must be true or false, got 1"),
    "not one of the choices": ("odometry.deskew=maybe", "must be one of auto, .*, got 'maybe'"),
    "a word that YAML reads as a truth value": ("odometry.deskew=yes", "must be one of auto, .*, got 'on'"),
    "too few numbers": ("input.T_base_lidar=[1, 2]", "a list of 6 finite numbers"),
    "texts among the numbers": ("input.initial_rpy=[a, b, c]", "a list of 6 finite numbers"),
    "no list": ("input.initial_rpy=3", "a list of 6 finite numbers"),
    "broken YAML": ("input.initial_rpy=[1, 2", "is not YAML"),
}


@pytest.mark.parametrize("assignment, message", REFUSED.values(), ids=REFUSED)
def test_a_wrong_assignment_is_refused_by_name(assignment, message):
    with pytest.raises(ConfigError, match=message):
        override_text(Config(), [assignment])


REFUSED_FILES = {
    "not YAML": ("a: [1", "is not YAML \\(expected [^\n]* in line 1, column 6\\)$"),
    "a control character": ("\x01", "is not YAML \\([^\n]*\\)$"),
    "a list": ("- 1\n- 2\n", "expected sections"),
    "an unknown section": ("odometri:\n  a: 1\n", "'odometri'.*'odometry'"),
    "a section that is a number": ("odometry: 3\n", "must hold keys"),
    "an unknown key": ("odometry:\n  max_range: 3\n", "max_range'.*'odometry.max_range_m'"),
    "a key that is a number": ("3: {a: 1}\n", "unknown section '3'"),
}


@pytest.mark.parametrize("text, message", REFUSED_FILES.values(), ids=REFUSED_FILES)
def test_a_wrong_file_is_refused_by_its_name_and_key(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"(?s)wrong\.yaml.*" + message):
        load(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.yaml")


def test_an_empty_file_is_the_default(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    assert load(tmp_path / "empty.yaml") == Config()


def test_the_shipped_file_is_the_dump_of_the_defaults(repository):
    path = repository / "config" / "bev_loc.yaml"
    assert path.read_text() == dump(Config()), "renew it: python tools/renew_derived.py"


def test_the_readme_shows_the_table_of_all_keys(repository):
    readme = (repository / "README.md").read_text()
    assert table(Config()) in readme, "renew it: python tools/renew_derived.py"

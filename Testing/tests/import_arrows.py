"""Who may import whom inside the product: the arrows of the architecture."""

from __future__ import annotations

ENGINE, LIB, SETUP = "TotalSegmentatorEngine", "TotalSegmentatorModuleLib", "TotalSegmentatorSetup"
WIRE, NODE = "TotalSegmentatorWire", f"{ENGINE}/dicom_node"

ARROWS = {
    "TotalSegmentatorModule.py": {LIB: "- panel scene scripting tags"},
    LIB: {LIB: "scene texts"},
    f"{LIB}/scripting": {
        LIB: "- background department_server export model_choice qt_helpers scene segment structure_tree tasks texts"
    },
    f"{LIB}/structure_tree": {LIB: "- model_choice qt_helpers segment texts"},
    f"{LIB}/model_choice": {LIB: "- qt_helpers segment texts", SETUP: "packages"},
    f"{LIB}/panel": {
        LIB: (
            "- agreement compare department_server early_start editing edits expected_plans export figures job_queue "
            "model_choice preview qt_helpers recovery repair rerun review scene segment setup structure_tree texts "
            "views"
        ),
    },
    f"{LIB}/agreement": {LIB: "qt_helpers"},
    f"{LIB}/job_queue": {
        LIB: "- background qt_helpers scene segment tags texts views",
        f"{LIB}/scene": "dicom",
    },
    f"{LIB}/preview": {LIB: "- qt_helpers scene tags texts"},
    f"{LIB}/expected_plans": {LIB: "qt_helpers scene segment"},
    f"{LIB}/early_start": {LIB: "- background model_choice qt_helpers segment"},
    f"{LIB}/department_server": {LIB: "- qt_helpers"},
    f"{LIB}/edits": {LIB: "- background qt_helpers"},
    f"{LIB}/recovery": {LIB: "background qt_helpers scene segment tags"},
    f"{LIB}/review": {LIB: "- changes qt_helpers scene tags texts views", f"{LIB}/review": "table times"},
    f"{LIB}/review/times": {LIB: "- qt_helpers texts"},
    f"{LIB}/review/table": {LIB: "qt_helpers scene tags texts"},
    f"{LIB}/repair": {
        LIB: "- background changes qt_helpers review scene tags tasks texts views",
        f"{LIB}/review": "table",
        f"{LIB}/scene": "dicom",
    },
    f"{LIB}/rerun": {LIB: "agreement changes figures qt_helpers scene tags texts", f"{LIB}/review": "table"},
    f"{LIB}/editing": {LIB: "changes qt_helpers scene tags", f"{LIB}/review": "table"},
    f"{LIB}/figures": {LIB: "qt_helpers scene texts views", f"{LIB}/review": "table"},
    f"{LIB}/setup": {
        LIB: "- background qt_helpers scene segment texts",
        SETUP: "models network packages support",
    },
    f"{LIB}/export": {LIB: "- background qt_helpers scene tags tasks texts", f"{LIB}/scene": "dicom"},
    f"{LIB}/compare": {LIB: "- qt_helpers scene tasks views", f"{LIB}/scene": "dicom"},
    f"{LIB}/tasks": {LIB: "- background qt_helpers scene texts", f"{LIB}/scene": "dicom"},
    f"{LIB}/segment": {LIB: "- agreement background preview qt_helpers scene tags texts", f"{LIB}/scene": "dicom"},
    f"{LIB}/background": {LIB: "- texts", SETUP: "packages"},
    f"{LIB}/changes": {LIB: "scene tags"},
    f"{LIB}/views": {LIB: "tags"},
    f"{LIB}/scene": {LIB: "tags"},
    f"{LIB}/scene/dicom": {LIB: "scene"},
    f"{LIB}/tags": {},
    f"{LIB}/qt_helpers": {},
    f"{LIB}/texts": {},
    ENGINE: {ENGINE: "cli machine python_api", SETUP: "packages"},
    f"{ENGINE}/python_api": {ENGINE: "ct_input export imaging job pipeline series_selection"},
    f"{ENGINE}/cli": {
        ENGINE: "batch cluster ct_input dicom_node export job model_install models pipeline repair review "
        "series_selection worker",
        f"{ENGINE}/batch": "guarding",
        f"{ENGINE}/export": "edits",
        SETUP: "cli",
    },
    f"{ENGINE}/department_server": {ENGINE: "cluster imaging job pipeline", f"{ENGINE}/review": "measures"},
    f"{ENGINE}/worker": {
        ENGINE: "ct_input department_server export imaging inference job machine pipeline plan review"
    },
    f"{ENGINE}/pipeline": {
        ENGINE: (
            "agreement ct_input imaging inference job labels machine models plan preprocessing result_check review "
            "statistics"
        ),
        f"{ENGINE}/review": "measures",
        f"{ENGINE}/pipeline": "checking finishing previewing",
    },
    f"{ENGINE}/pipeline/previewing": {
        ENGINE: "imaging job machine plan statistics",
        f"{ENGINE}/pipeline": "finishing",
    },
    f"{ENGINE}/pipeline/checking": {ENGINE: "agreement imaging inference labels models plan preprocessing"},
    f"{ENGINE}/agreement": {ENGINE: "imaging"},
    f"{ENGINE}/pipeline/finishing": {
        ENGINE: "imaging job labels models plan preprocessing",
        f"{ENGINE}/review": "measures",
    },
    f"{ENGINE}/result_check": {ENGINE: "imaging"},
    f"{ENGINE}/review": {
        ENGINE: "export imaging job series_selection statistics",
        f"{ENGINE}/export": "core grid sources",
        f"{ENGINE}/review": "measures rules",
    },
    f"{ENGINE}/repair": {ENGINE: "imaging job export", f"{ENGINE}/export": "core grid sources"},
    f"{ENGINE}/review/rules": {ENGINE: "imaging result_check statistics", f"{ENGINE}/review": "measures spine"},
    f"{ENGINE}/review/spine": {f"{ENGINE}/review": "measures"},
    f"{ENGINE}/review/measures": {ENGINE: "imaging result_check"},
    f"{ENGINE}/plan": {ENGINE: "agreement imaging inference job machine models preprocessing"},
    f"{ENGINE}/labels": {ENGINE: "imaging inference machine models preprocessing"},
    f"{ENGINE}/model_install": {ENGINE: "inference job machine models"},
    f"{ENGINE}/inference": {ENGINE: "job machine models", f"{ENGINE}/inference": "stored"},
    f"{ENGINE}/inference/stored": {},
    f"{ENGINE}/preprocessing": {ENGINE: "imaging job models"},
    f"{ENGINE}/job": {ENGINE: "imaging machine models"},
    f"{ENGINE}/cluster": {ENGINE: "machine"},
    f"{ENGINE}/ct_input": {ENGINE: "dicom_series imaging series_selection"},
    f"{ENGINE}/series_selection": {ENGINE: "dicom_series imaging"},
    f"{ENGINE}/dicom_series": {ENGINE: "imaging"},
    f"{ENGINE}/models": {},
    f"{ENGINE}/machine": {},
    f"{ENGINE}/imaging": {ENGINE: "payloads"},
    f"{ENGINE}/payloads": {},
    NODE: {
        ENGINE: "imaging job machine pipeline",
        f"{ENGINE}/batch": "inputs running store",
        NODE: "incoming network sending settings",
    },
    f"{NODE}/sending": {ENGINE: "imaging job", NODE: "network settings", f"{ENGINE}/export": "dicom"},
    f"{NODE}/network": {NODE: "incoming settings"},
    f"{NODE}/incoming": {
        ENGINE: "dicom_series imaging series_selection",
        NODE: "settings",
        f"{ENGINE}/export": "dicom",
    },
    f"{NODE}/settings": {ENGINE: "machine"},
    f"{ENGINE}/statistics": {ENGINE: "imaging", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export": {
        ENGINE: "ct_input imaging job series_selection",
        f"{ENGINE}/export": "cohort compare core dicom edits files grid rois rtstruct seg sheet sources sr surfaces",
    },
    f"{ENGINE}/export/sheet": {ENGINE: "imaging statistics", f"{ENGINE}/export": "compare core grid page"},
    f"{ENGINE}/export/cohort": {ENGINE: "imaging", f"{ENGINE}/export": "compare core files page sheet"},
    f"{ENGINE}/export/edits": {ENGINE: "imaging job", f"{ENGINE}/export": "core page sheet"},
    f"{ENGINE}/export/page": {},
    f"{ENGINE}/export/sources": {
        ENGINE: "ct_input dicom_series imaging job series_selection",
        f"{ENGINE}/export": "core dicom grid rois rtstruct seg",
    },
    f"{ENGINE}/export/compare": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core rois"},
    f"{ENGINE}/export/seg": {ENGINE: "dicom_series imaging", f"{ENGINE}/export": "core dicom grid"},
    f"{ENGINE}/export/sr": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core dicom seg"},
    f"{ENGINE}/export/rtstruct": {ENGINE: "dicom_series imaging", f"{ENGINE}/export": "core dicom"},
    f"{ENGINE}/export/surfaces": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export/files": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export/rois": {f"{ENGINE}/export": "core grid"},
    f"{ENGINE}/export/grid": {ENGINE: "imaging", f"{ENGINE}/export": "core dicom"},
    f"{ENGINE}/export/dicom": {ENGINE: "dicom_series imaging series_selection", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export/core": {ENGINE: "imaging"},
    f"{ENGINE}/batch": {
        ENGINE: "job review",
        f"{ENGINE}/batch": "dask_engine device_processes guarding inputs report running store table",
    },
    f"{ENGINE}/batch/inputs": {
        ENGINE: "ct_input dicom_series imaging payloads series_selection",
        f"{ENGINE}/batch": "store",
    },
    f"{ENGINE}/batch/guarding": {},
    f"{ENGINE}/batch/store": {ENGINE: "imaging"},
    f"{ENGINE}/batch/running": {
        ENGINE: "ct_input export imaging job machine models pipeline series_selection",
        f"{ENGINE}/batch": "inputs report store table",
    },
    f"{ENGINE}/batch/device_processes": {ENGINE: "job machine", f"{ENGINE}/batch": "inputs running store"},
    f"{ENGINE}/batch/dask_engine": {
        ENGINE: "cluster imaging job machine pipeline",
        f"{ENGINE}/batch": "inputs running store",
    },
    f"{ENGINE}/batch/report": {ENGINE: "imaging", f"{ENGINE}/batch": "store", f"{ENGINE}/export": "core page sheet"},
    f"{ENGINE}/batch/table": {ENGINE: "imaging statistics", f"{ENGINE}/batch": "store", f"{ENGINE}/export": "files"},
    f"{SETUP}": {},
    f"{SETUP}/cli": {SETUP: "install models network packages support"},
    f"{SETUP}/install": {SETUP: "models network packages support"},
    f"{SETUP}/models": {SETUP: "network packages support"},
    f"{SETUP}/packages": {SETUP: "network support"},
    f"{SETUP}/network": {SETUP: "support"},
    f"{SETUP}/support": {},
    WIRE: {WIRE: "errors"},
    f"{WIRE}/agreement": {WIRE: "errors messages tables"},
    f"{WIRE}/command": {WIRE: "errors messages"},
    f"{WIRE}/messages": {WIRE: "errors"},
    f"{WIRE}/tables": {WIRE: "- errors messages"},
    f"{WIRE}/choice": {WIRE: "- errors messages tables"},
    f"{WIRE}/errors": {},
}
"""Who may import whom, by folder: names of folders below the one that stands before the colon, ``-`` for that one
itself. Everyone may import the wire, and files of their own folder."""

# Gather the batch for people; also when some of it failed.
# In: all metrics.json. Out: metrics.csv and report/, one folder that opens from disk.


rule report:
    input:
        metrics=[f"{SETTINGS.results}/{clip}/{edit}/{method}/metrics.json" for clip, edit, method in PLANNED],
        scores=scores_of(PLANNED),
    output:
        page="<results>/report/index.html",
        table=report(
            "<results>/metrics.csv", "../report/metrics.rst", category="All clips", labels={"what": "metrics.csv"}
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
    params:
        title="report",
        version=STAGE_VERSIONS["report"],
        report=SETTINGS.report.only("title"),
        own=dict(expected=EXPECTED, names=BATCH.names, problems=PROBLEMS),
    message:
        "{params.title}"
    script:
        "../scripts/report.py"


onsuccess:
    end(reported=HAS_REPORT)
    show_where()


onerror:
    end(reported=False)
    # The report rule waits for every edit; when one failed, the page is written from what there is.
    from lib.stages.report import write_all  # here: what it needs would slow every start

    write_all(Path(SETTINGS.results), EXPECTED, BATCH.names, PROBLEMS, SETTINGS.report.title)
    show_where()

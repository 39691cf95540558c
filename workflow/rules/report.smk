# Gather the batch for people; also when some of it failed.
# In: all metrics.json. Out: metrics.csv and report/, one folder that opens from disk.


rule report:
    input:
        metrics=[f"{SETTINGS.results}/{clip}/{edit}/{method}/metrics.json" for clip, edit, method in PLANNED],
    output:
        page="<results>/report/index.html",
        table="<results>/metrics.csv",
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
        expected=EXPECTED,
        problems=PROBLEMS,
        title=SETTINGS.report.title,
        version=STAGE_VERSIONS["report"],
    message:
        "report"
    script:
        "../scripts/report.py"


onsuccess:
    end(reported=report_is_due())
    show_where()


onerror:
    end(reported=False)
    # The report rule waits for every edit; when one failed, the page is written from what there is.
    from lib.report.page import write_report  # here: pandas would slow every start
    from lib.report.table import write_metrics_table  # here: pandas would slow every start

    results = Path(SETTINGS.results)
    write_metrics_table(results, EXPECTED, results / "metrics.csv")
    write_report(
        results, EXPECTED, PROBLEMS, SETTINGS.report.title, package_versions(), results / "report" / "index.html"
    )
    show_where()

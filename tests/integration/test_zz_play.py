import os, time
from pathlib import Path
def test_play(daemon, emulator, folder, cli):
    p = emulator("plain")
    daemon.with_provider("plain", p).start()
    for a in ("plain/acme","plain/beta"): daemon.grant(p, a)
    daemon.api.token("plain/acme").ok()
    Path("/tmp/w/k-H-zz/socket").write_text(str(daemon.socket)+"\n"+str(p.url))
    end=time.time()+1500
    while time.time()<end and not Path("/tmp/w/k-H-zz/stop").exists(): time.sleep(0.5)

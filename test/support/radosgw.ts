import { execFile } from "node:child_process";
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { S3mini } from "s3mini";
import { freePort } from "../../demo/site-process.ts";

const run = promisify(execFile);
const keys = { accessKeyId: "testkey", secretAccessKey: "testsecret" };

/** A real S3 store, Debian's radosgw over a Ceph that keeps everything in memory; ready in about 13 s. Call it at the top of a file: removed when the file's tests have ended. */
export class Radosgw {
  readonly endpoint: string;
  readonly folder: string;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Radosgw> {
    const folder = await mkdtemp(join(tmpdir(), "prestage-s3-"));
    const [monitorPort, port] = [await freePort(), await freePort()];
    const store = new Radosgw(folder, port);
    after(() => store.#stop());
    for (const name of ["mon", "osd", "run", "log"]) await mkdir(join(folder, name));
    const [cluster, osd] = [randomUUID(), randomUUID()];
    await writeFile(join(folder, "ceph.conf"), configuration(folder, cluster, monitorPort, port));
    const ceph = (program: string, ...args: string[]) => run(program, ["--conf", join(folder, "ceph.conf"), ...args]);
    await run("monmaptool", ["--create", "--fsid", cluster, "--addv", "a", `[v1:127.0.0.1:${monitorPort}]`, join(folder, "monmap")]);
    await ceph("ceph-mon", "-i", "a", "--mkfs", "--monmap", join(folder, "monmap"));
    await ceph("ceph-mon", "-i", "a");
    // Before mkfs, else the OSD invents another id.
    await ceph("ceph", "osd", "new", osd, "0");
    await writeFile(join(folder, "osd/fsid"), `${osd}\n`);
    await ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, "--osd-objectstore", "memstore");
    await ceph("ceph-osd", "-i", "0");
    await ceph("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=h");
    await ceph("radosgw", "-n", "client.rgw");
    while (!(await fetch(store.endpoint).then((answer) => answer.ok, () => false))) await delay(50);
    await ceph("radosgw-admin", "user", "create", "--uid=t", "--display-name=t", `--access-key=${keys.accessKeyId}`, `--secret-key=${keys.secretAccessKey}`);
    await writeFile(join(folder, "keys"), `[default]\naws_access_key_id = ${keys.accessKeyId}\naws_secret_access_key = ${keys.secretAccessKey}\n`, { mode: 0o600 });
    return store;
  }

  /** The file of its keys. */
  get credentials(): string {
    return join(this.folder, "keys");
  }

  /** An owner's client of a bucket; `acl`: an access rule sent with every request. */
  bucket(name: string, acl?: string): S3mini {
    return new S3mini({ ...keys, endpoint: `${this.endpoint}/${name}`, region: "default", fetch: (input, init) => fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), ...(acl !== undefined && { "x-amz-acl": acl }) } }) });
  }

  async #stop(): Promise<void> {
    for (const name of (await readdir(join(this.folder, "run"))).filter((one) => one.endsWith(".pid"))) {
      try {
        process.kill(Number(await readFile(join(this.folder, "run", name), "utf8")), "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function configuration(folder: string, cluster: string, monitorPort: number, port: number): string {
  const lines = [
    "[global]", `fsid=${cluster}`, "mon_initial_members=a", `mon_host=v1:127.0.0.1:${monitorPort}`, "ms_bind_msgr2=false", "public_addr=127.0.0.1", "cluster_addr=127.0.0.1",
    ...["cluster", "service", "client"].map((name) => `auth_${name}_required=none`), ...["size", "min_size", "pg_num", "pgp_num"].map((name) => `osd_pool_default_${name}=1`),
    "osd_crush_chooseleaf_type=0", "mon_max_pg_per_osd=1000", "mon_allow_pool_size_one=true", "mon_data_avail_crit=1", "osd_objectstore=memstore", "memstore_device_bytes=2147483648",
    "osd_class_load_list=*", "osd_class_default_list=*", `run_dir=${folder}/run`, `pid_file=${folder}/run/$name.pid`, `admin_socket=${folder}/run/$name.asok`, `log_file=${folder}/log/$name.log`,
    `mon_data=${folder}/mon`, `osd_data=${folder}/osd`, `rgw_frontends=beast endpoint=127.0.0.1:${port}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** What the instructions say of the media beside them. */
export interface InstructionFacts {
  mediaId: string;
  taskSequence: string;
  size: number;
  createdBy: string;
}

/** README.txt: for the people at the depot. Plain text, 80 columns. */
export function englishInstructions(facts: InstructionFacts): string {
  return `PRESTAGED MEDIA: HOW TO LAY IT ON DISKS

  Media     ${facts.mediaId}
  Sequence  ${facts.taskSequence}
  Size      ${facts.size.toLocaleString("en")} bytes
  Made by   ${facts.createdBy || "-"}

You need a computer with Linux (x86-64, kernel 4.18 or newer) and the right to
be root. No network and no other software. This folder must lie on a file
system that may run programs and hold large files (ext4, XFS, exFAT), not one
mounted with "noexec".

1. CHECK THAT ALL ARRIVED WHOLE
     sha256sum -c SHA256SUMS

2. ONCE: THIS DEPOT'S KEY (if the site asked for it)
     ./run.sh depot init --name "Depot 3"
     ./run.sh depot show --output depot.json
   Send depot.json to the site, and tell the key id by telephone. The key itself
   stays on this computer.

3. LAY THE MEDIA ON DISKS. EVERYTHING ON THE DISK IS LOST.
   See what would be done:
     ./run.sh --disk /dev/sdb --dry-run
   Do it; --disk may be repeated, the disks are done at the same time:
     ./run.sh --disk /dev/sdb --disk /dev/sdc --receipts receipts --operator Ann
   A disk that is not empty needs its serial number: --wipe SERIAL
   The media's files need room once more while disks are made: --work-folder DIR
   names a folder for them if /tmp is too small.

   Every file is read back and compared. The exit code is 0 when all disks are
   good, 1 when none is; from 32 on some failed: 32 plus 1 for the first disk
   named, 2 for the second, 4, 8, 16.

4. SEND THE RECEIPTS BACK
   The files in receipts/ belong to the delivery note: .json for the site, .txt
   to print, .svg to scan. A disk without its receipt works too; its computer
   then waits for an administrator's approval.

5. WITH A DISK DUPLICATOR
     ./run.sh --golden --disk /dev/sdb
   Copy that disk, then for each copy:
     ./run.sh receipt create --disk /dev/sdc --receipts receipts

If the power fails, run the same command again (with --wipe SERIAL).
The disk starts by itself in its computer: UEFI, x86-64; Secure Boot may be on.
`;
}

/** LISEZMOI.txt: the same in French. */
export function frenchInstructions(facts: InstructionFacts): string {
  return `MÉDIA PRÉPARÉ : COMMENT LE POSER SUR DES DISQUES

  Média     ${facts.mediaId}
  Séquence  ${facts.taskSequence}
  Taille    ${facts.size.toLocaleString("fr").replaceAll(/\s/g, " ")} octets
  Créé par  ${facts.createdBy || "-"}

Il faut un ordinateur sous Linux (x86-64, noyau 4.18 ou plus récent) et le
droit d'être root. Ni réseau ni autre logiciel. Ce dossier doit se trouver sur
un système de fichiers qui permet d'exécuter des programmes et accepte de
grands fichiers (ext4, XFS, exFAT), pas monté avec « noexec ».

1. VÉRIFIER QUE TOUT EST ARRIVÉ ENTIER
     sha256sum -c SHA256SUMS

2. UNE SEULE FOIS : LA CLÉ DE CE DÉPÔT (si le site l'a demandée)
     ./run.sh depot init --name "Dépôt 3"
     ./run.sh depot show --output depot.json
   Envoyez depot.json au site et dites l'identifiant de la clé par téléphone.
   La clé elle-même reste sur cet ordinateur.

3. POSER LE MÉDIA SUR LES DISQUES. TOUT LE CONTENU DU DISQUE EST PERDU.
   Voir ce qui serait fait :
     ./run.sh --disk /dev/sdb --dry-run
   Le faire ; --disk peut être répété, les disques sont traités en même temps :
     ./run.sh --disk /dev/sdb --disk /dev/sdc --receipts receipts --operator Ann
   Un disque qui n'est pas vide demande son numéro de série : --wipe SERIE
   Les fichiers du média demandent encore une fois leur place pendant ce temps :
   --work-folder DOSSIER nomme un dossier si /tmp est trop petit.

   Chaque fichier est relu et comparé. Le code de sortie est 0 si tous les
   disques sont bons, 1 si aucun ne l'est ; à partir de 32 certains ont échoué :
   32 plus 1 pour le premier disque nommé, 2 pour le deuxième, 4, 8, 16.

4. RENVOYER LES REÇUS
   Les fichiers de receipts/ vont avec le bon de livraison : .json pour le site,
   .txt à imprimer, .svg à scanner. Un disque sans reçu fonctionne aussi ; son
   ordinateur attend alors l'accord d'un administrateur.

5. AVEC UN DUPLICATEUR DE DISQUES
     ./run.sh --golden --disk /dev/sdb
   Copiez ce disque, puis pour chaque copie :
     ./run.sh receipt create --disk /dev/sdc --receipts receipts

Si le courant est coupé, relancez la même commande (avec --wipe SERIE).
Le disque démarre seul dans son ordinateur : UEFI, x86-64 ; Secure Boot peut
rester actif.
`;
}
